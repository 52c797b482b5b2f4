// SPDX-License-Identifier: MIT
import { Stepbus } from 'stepbus'

const app = await Stepbus.open('hello.db')

app.step('greet', { retry: { attempts: 5 } }, async ({ name }) => `Hello, ${name}!`)
app.run({ signals: true })

const id = await app.enqueue('greet', { name: 'world' })
console.log(await app.result(id))
await app.close()
