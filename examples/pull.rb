# SPDX-License-Identifier: MIT
# A Ruby host that runs its steps itself, with nothing but fiddle. The declarations are read as they are
# installed: each function becomes a method, each struct a class in STRUCTS, and each value a constant.
require 'fiddle/import'

module Stepbus
  extend Fiddle::Importer
  class Error < StandardError; end
  STRUCTS = {}
  dlload 'libstepbus.so.0'
  typealias 'stepbus_status', 'int32_t'

  File.read(File.join(__dir__, '../include/stepbus.cdef.h')).then do |cdef|
    cdef.scan(/^typedef .*\(\*(\w+)\)/) { |function,| typealias function, 'void *' }
    cdef.scan(/^(?!typedef)\w.*\);$/) { |function| extern function.sub('struct ', '') }
    cdef.scan(/^\tSTEPBUS_(\w+) = (\d+)/) { |name, number| const_set(name, number.to_i) }
    cdef.scan(/^typedef struct (\w+) \{\n(.*?)^\}/m) do |name, fields|
      plain = fields.gsub(/^\t.*\(\*(\w+)\)\(.*\);/, 'void *\1;').gsub(/^\t(?:const )?\w+ \*/, 'void *')
      STRUCTS[name] = struct(plain.split(/;\n/).map(&:strip))
    end
  end

  # Structs one behind the other, zero but for their size and the fields given.
  def self.structs(name, count = 1, **fields)
    type = STRUCTS.fetch("stepbus_#{name}")
    memory = Fiddle::Pointer.malloc(type.size * count, Fiddle::RUBY_FREE)
    memory[0, memory.size] = "\0" * memory.size
    Array.new(count) { |i| type.new(memory + i * type.size) }.each do |element|
      element.size = type.size
      element.instance_variable_set(:@kept, [memory, fields]) # as long as C may read them
      fields.each do |field, value|
        element.send("#{field}_len=", value.bytesize) if value.is_a?(String)
        element.send("#{field}=", value.is_a?(String) ? Fiddle::Pointer[value] : value)
      end
    end
  end

  # Calls with an error as the last argument, and raises what it says.
  def self.call(name, *arguments)
    error = structs(:error).first
    status = send("stepbus_#{name}", *arguments, error)
    raise Error, "#{stepbus_status_name(status)}: #{error.message.pack('c*').unpack1('Z*')}" unless status == OK
  end

  # Calls with a pointer to write to before that, and gives what was written.
  def self.get(name, *arguments)
    out = "\0" * 8
    call(name, *arguments, out)
    out.unpack1('Q')
  end
end

STEP_COUNT = 1000
BATCH_COUNT = 256

options = Stepbus.structs(:options, config: '{"store":"memory:"}').first
engine = Stepbus.get(:open, options)
echo = Stepbus.structs(:handler_spec, name: 'echo', flags: Stepbus::HANDLER_PULLED).first
Stepbus.call(:registry_register, Stepbus.stepbus_engine_registry(engine), echo)
specs = Stepbus.structs(:step_spec, STEP_COUNT, handler_name: 'echo', input: 'hello')
Stepbus.call(:step_enqueue, engine, specs.first, STEP_COUNT, nil)

worker = Stepbus.get(:worker_start, engine, '{"pull":true}', 13)
steps = Stepbus.structs(:step_event, BATCH_COUNT)
completions = Stepbus.structs(:completion, BATCH_COUNT, outcome: Stepbus::OUTCOME_SUCCESS, retry_after_ms: -1)
done = 0
while done < STEP_COUNT
  count = Stepbus.get(:poll, worker, steps.first, BATCH_COUNT, -1)
  steps.first(count).zip(completions) do |step, completion|
    # Each step succeeds, and its result is its input.
    completion.step_id = step.step_id
    completion.token = step.token
    completion.result = step.input
    completion.result_len = step.input_len
  end
  Stepbus.call(:complete, engine, completions.first, count, nil)
  done += count
end

count = Stepbus.get(:step_count, engine, '{"state":"completed"}', 21)
Stepbus.stepbus_close(engine)
puts "#{count} of #{STEP_COUNT} steps are completed"
exit count == STEP_COUNT
