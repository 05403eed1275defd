// Keys of data: upstream's complaints for the first thousand faults, and a word on the rest.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { faultsOfEach, invalidError, type FieldError } from '../field-errors.ts'
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

  void test('a thousand faults are told, and that there are more; nobody looks further', () => {
    const looked: number[] = []
    const errors = faultsOfEach(
      Array.from({ length: 5000 }, (_, at) => at),
      (at) => {
        looked.push(at)
        const found: FieldError[] = []
        addKeyFaults(found, 'data', at % 2 === 0 ? `k ${at}` : `k${at}`)
        return found
      },
    )
    assert.equal(errors.length, 1001)
    assert.equal(looked.length, 2001)
    const { message, details } = invalidError({ group: '', kind: 'ConfigMap', name: 'bomb' }, errors)
    assert.equal(details?.causes?.length, 1000)
    assert.match(message, /data\[k 1998\]: .*, and more\]$/)
    const last = invalidError({ group: '', kind: 'ConfigMap', name: 'bomb' }, errors.slice(1))
    assert.equal(last.details?.causes?.length, 1000)
    assert.ok(last.message.endsWith("regex used for validation is '[-._a-zA-Z0-9]+')]"), last.message.slice(-300))
  })
})
