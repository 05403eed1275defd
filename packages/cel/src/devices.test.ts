// What picks devices: upstream's examples compile and pick, the rest is refused with its words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileDeviceExpression } from './devices.ts'
import { parseQuantity } from '@aksel/base/quantity'
import { QuantityValue } from './library/quantity.ts'

const device = {
  driver: 'gpu.example.com',
  allowMultipleAllocations: false,
  attributes: { 'gpu.example.com': { model: 'big', cores: 8, fast: true } },
  capacity: { 'gpu.example.com': { memory: new QuantityValue(parseQuantity('40Gi')) } },
}

test('devices are picked by driver, attributes and capacity', () => {
  const picks = (expression: string): unknown => {
    const { program, complaint } = compileDeviceExpression(expression)
    assert.ok(program !== undefined, complaint)
    return program.evaluate({ device }).value
  }
  assert.equal(picks('device.driver == "gpu.example.com"'), true)
  assert.equal(picks('device.attributes["gpu.example.com"].model == "big"'), true)
  assert.equal(picks('"model" in device.attributes["gpu.example.com"] && !device.allowMultipleAllocations'), true)
  assert.equal(picks('device.attributes["gpu.example.com"].fast'), true)
  assert.equal(picks('device.attributes["gpu.example.com"].cores > 16'), false)
  assert.equal(picks('device.capacity["gpu.example.com"].memory.compareTo(quantity("20Gi")) >= 0'), true)
  assert.equal(picks('cel.bind(gpu, device.attributes["gpu.example.com"], gpu.model == "small")'), false)
})

test('an expression that is none, that gives no bool, or that costs too much is refused', () => {
  const complaint = (expression: string): string | undefined => compileDeviceExpression(expression).complaint
  assert.match(String(complaint('device.')), /^compilation failed: ERROR: <input>:1:8: Syntax error/)
  assert.match(String(complaint('node.name == "a"')), /undeclared reference to 'node'/)
  assert.equal(complaint('device.driver'), 'must evaluate to bool or the unknown type, not string')
  const all = 'device.attributes["a"].all'
  assert.equal(
    complaint(`${all}(a, ${all}(b, ${all}(c, ${all}(d, a + b + c + d == ""))))`),
    'too complex, exceeds cost limit',
  )
})
