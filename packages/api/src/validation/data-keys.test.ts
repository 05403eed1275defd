// Keys of data: upstream's complaints for the first thousand faults, and a count of the rest.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { invalidError, type FieldError } from '../field-errors.ts'
import { addKeyFaults } from './data-keys.ts'

const faultsOf = (...keys: readonly string[]): readonly string[] => {
  const errors: FieldError[] = []
  for (const key of keys) addKeyFaults(errors, 'data', key)
  return errors.map(({ field, message }) => `${field}: ${message}`)
}

void suite('keys of data', () => {
  void test('are letters, digits, dots, dashes and underscores, 253 at most, and no steps', () => {
    assert.deepEqual(faultsOf('a', 'A-b_c.d', '.dockercfg', '-', 'x'.repeat(253)), [])
    const wrong = ['', '.', '..', '..x', 'a b', 'x'.repeat(254), 'é', 'a\n']
    for (const key of wrong) assert.notDeepEqual(faultsOf(key), [], JSON.stringify(key))
    assert.match(faultsOf('..x')[0]!, /^data\[\.\.x\]: Invalid value: "\.\.x": must not start with '\.\.'$/)
    assert.match(faultsOf('a b')[0]!, /^data\[a b\]: Invalid value: "a b": a valid config key must consist of/)
  })

  void test('beyond a thousand faults are counted and not worded, and good ones stay good', () => {
    const errors: FieldError[] = []
    for (let at = 0; at < 5000; at++) addKeyFaults(errors, 'data', `k ${at}`)
    addKeyFaults(errors, 'data', '.dockercfg')
    addKeyFaults(errors, 'data', 'good')
    assert.equal(errors.length, 5000)
    const { message, details } = invalidError({ group: '', kind: 'ConfigMap', name: 'bomb' }, errors)
    assert.equal(details?.causes?.length, 1000)
    assert.match(message, /and 4000 more\]$/)
    assert.ok(message.length < 300_000, `${message.length}`)
    assert.equal(new Set(errors).size, 1002)
  })
})
