# SPDX-License-Identifier: MIT
from stepbus import Stepbus

app = Stepbus("jobs.db")

@app.step("greet", retry=3)
def greet(name):
    return f"Hello, {name}!"

with app:
    step = app.enqueue("greet", {"name": "Ada"})
    app.drain()
    print(app.result(step))
