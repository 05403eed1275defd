// YAML as Kubernetes reads it, and bombs that it does not.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ApiError } from '@aksel/base/errors'
import { parseYamlBody } from './request-body.ts'
import { writeYamlBody } from './yaml.ts'

async function read(text: string): Promise<unknown> {
  return (await parseYamlBody(Buffer.from(text))).value
}

function refusal(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ApiError && error.reason === 'BadRequest' && message.test(error.message)
}

describe('YAML', () => {
  test('has the words for true and false of its version 1.1, and no times or sexagesimal numbers', async () => {
    const text = "a: yes\nb: off\nc: 22:22\nd: 2026-01-02\ne: 0o17\nf: 017\ng: 1e3\nh: ~\ni: 'yes'\nj: 8080:80\n"
    assert.deepEqual(await read(text), {
      a: true,
      b: false,
      c: '22:22',
      d: '2026-01-02',
      e: '0o17',
      f: 15,
      g: 1000,
      h: null,
      i: 'yes',
      j: '8080:80',
    })
  })

  test('keeps integers exact, and odd keys as texts', async () => {
    assert.deepEqual(await read('a: 9007199254740993\n1: x\ntrue: z\n'), { a: 9007199254740993n, 1: 'x', true: 'z' })
    const odd = (await read('__proto__: {polluted: true}')) as Record<string, unknown>
    assert.equal(Object.hasOwn(odd, '__proto__'), true)
    assert.equal((odd as { polluted?: boolean }).polluted, undefined)
  })

  test('takes the last of double keys and names them', async () => {
    const { value, complaints } = await parseYamlBody(Buffer.from('a: 1\nb:\n  c: 2\n  c: 3\na: 4\n'))
    assert.deepEqual(value, { a: 4, b: { c: 3 } })
    assert.deepEqual(complaints, [
      'yaml: unmarshal errors:\n  line 4: key "c" already set in map\n  line 5: key "a" already set in map',
    ])
  })

  test('that is JSON is read as JSON', async () => {
    const { value, duplicates } = await parseYamlBody(Buffer.from(' {"a":1,"a":2}'))
    assert.deepEqual([value, duplicates], [{ a: 2 }, ['a']])
  })

  test('is refused where it is none, in upstream’s words', async () => {
    await assert.rejects(read('a: [1'), refusal(/^error converting YAML to JSON: yaml: line \d+: /))
    await assert.rejects(read('a: b: c'), refusal(/^error converting YAML to JSON: yaml: line 1: /))
  })

  test('bombs of aliases are refused, small ones and large ones', async () => {
    const levels = 'abcdefghij'.split('')
    const lines = levels.map((name, at) =>
      at === 0 ? `${name}: &${name} [x,x,x,x,x,x,x,x,x]` : `${name}: &${name} [${`*${levels[at - 1]!},`.repeat(9)}]`,
    )
    await assert.rejects(read(lines.join('\n')), refusal(/document contains excessive aliasing/))
    const padded = `${lines.join('\n')}\nz: ${'y'.repeat(20_000)}\n`
    await assert.rejects(read(padded), refusal(/document contains excessive aliasing/))
  })

  test('nested beyond reason is refused, not the server’s failure', async () => {
    await assert.rejects(read('['.repeat(20_000)), refusal(/yaml: exceeded max depth of 10000$/))
    await assert.rejects(read(`a: ${'['.repeat(5000)}${']'.repeat(5000)}`), refusal(/exceeded max depth/))
  })

  test('that is large is read and written in another thread, with the same result', async () => {
    const object = { items: Array.from({ length: 500 }, (_, at) => ({ name: `n${at}`, yes: 'yes', port: at })) }
    const written = await writeYamlBody(Buffer.from(JSON.stringify(object)))
    assert.ok(written.length > 16_000)
    assert.deepEqual(await read(Buffer.from(written).toString()), object)
  })
})
