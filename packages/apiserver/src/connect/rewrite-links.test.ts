// Links of pages behind a proxy path: which are led through it, and that the rest of the page stays.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { rewritten, throughProxy } from './rewrite-links.ts'

const place = { prefix: '/api/v1/namespaces/shop/pods/web/proxy', host: '10.244.0.5:80' }

async function pageOf(body: Uint8Array, headers: Record<string, string>): Promise<string> {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    // In two pieces, within a tag.
    yield body.subarray(0, 5)
    yield body.subarray(5)
  }
  const answer = await rewritten({ status: 200, headers, body: source() }, place)
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test('addresses of the same server go through the proxy, all others stay', () => {
  assert.equal(throughProxy('/a?b=c', place), `${place.prefix}/a?b=c`)
  assert.equal(throughProxy('http://10.244.0.5:80/a', place), `${place.prefix}/a`)
  for (const other of [
    'a/b',
    '#top',
    '',
    'https://example.com/a',
    '//example.com/a',
    `${place.prefix}/a`,
    'mailto:a@b',
  ])
    assert.equal(throughProxy(other, place), other)
})

test('links of a page are rewritten and nothing else', async () => {
  const page = '<!doctype html><a href="/a" title="/b">é /c</a><img src="/d"><script src="https://e/f"></script>'
  const expected = `<!doctype html><a href="${place.prefix}/a" title="/b">é /c</a><img src="${place.prefix}/d"><script src="https://e/f"></script>`
  const html = { 'content-type': 'text/html; charset=utf-8' }
  assert.equal(await pageOf(Buffer.from(page), html), expected)
  assert.equal(await pageOf(gzipSync(page), { ...html, 'content-encoding': 'gzip' }), expected)
  assert.equal(await pageOf(Buffer.from(page), { 'content-type': 'text/plain' }), page)
})

test('a redirect within the server goes through the proxy', async () => {
  const none = async function* (): AsyncGenerator<Uint8Array> {}
  const answer = await rewritten({ status: 302, headers: { location: '/login' }, body: none() }, place)
  assert.equal(answer.headers['location'], `${place.prefix}/login`)
})
