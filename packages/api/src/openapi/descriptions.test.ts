// Every type and every field that any minor can serve has a sentence, and every sentence has a place.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogOf, type Catalog } from '../catalog.ts'
import { fieldsOf, hasMessage, messageOf, minors, type ApiTables } from '../tables.ts'
import { Descriptions, loadDescriptions } from './descriptions.ts'
import { openApiV2 } from './documents.ts'
import { words } from './words/all.ts'

const descriptions = await loadDescriptions()
const catalogs = await Promise.all(minors.map((minor) => catalogOf(minor, { runtimeConfig: { 'api/all': true } })))

interface Definition {
  readonly description?: string
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>
}

function definitionsOf({ tables, facts }: Catalog): Readonly<Record<string, Definition>> {
  const document = openApiV2({ tables, descriptions, kinds: facts, gitVersion: 'v1' })
  return document['definitions'] as Readonly<Record<string, Definition>>
}

test('every type and every field of 1.34, 1.35 and 1.36 is described, betas and alphas among them', () => {
  const missing = new Set<string>()
  let seen = 0
  for (const catalog of catalogs)
    for (const [name, { description, properties = {} }] of Object.entries(definitionsOf(catalog))) {
      seen += 1
      if (description === undefined) missing.add(name)
      for (const [field, schema] of Object.entries(properties)) {
        seen += 1
        if (schema.description === undefined) missing.add(`${name} ${field}`)
      }
    }
  assert.ok(seen > 8000, `only ${seen} were seen`)
  assert.deepEqual([...missing].sort(), [])
})

/** The messages that an entry of the tables speaks for: `core.Pod`, or `core/v1.Pod`. */
function messagesOf(tables: ApiTables, key: string): readonly string[] {
  const [, group = '', version, type = ''] = /^([^/.]+)(?:\/(\w+))?\.(\w+)$/.exec(key) ?? []
  return Object.keys(tables.groupVersions)
    .filter((one) => one === `${group}/${version ?? one.slice(group.length + 1)}`)
    .map((one) => `${one}.${type}`)
    .filter((reference) => hasMessage(tables, reference))
}

test('no sentence speaks of a type or field that no minor has', () => {
  const stale: string[] = []
  for (const [key, entry] of Object.entries(words)) {
    const found = catalogs.flatMap(({ tables }) => messagesOf(tables, key).map((reference) => ({ tables, reference })))
    if (found.length === 0) stale.push(key)
    const fields = new Set(
      found.flatMap(({ tables, reference }) => {
        const own = fieldsOf(tables, reference).map(([name]) => name)
        return messageOf(tables, reference).tm === 1 ? [...own, 'apiVersion', 'kind'] : own
      }),
    )
    for (const [field, sentence] of Object.entries(entry)) {
      if (field === 'like') {
        if (words[sentence] === undefined) stale.push(`${key} is like ${sentence}`)
      } else if (field !== '' && !fields.has(field)) stale.push(`${key} ${field}`)
    }
  }
  assert.deepEqual(stale, [])
})

test('sentences are whole, short, and plain ASCII, which a process holds in one byte a letter', () => {
  const wrong = Object.entries(words).flatMap(([key, entry]) =>
    Object.entries(entry)
      .filter(([field, sentence]) => field !== 'like' && !/^[\w'$0-9][\x20-\x7e]{3,299}\.$/.test(sentence))
      .map(([field, sentence]) => `${key} ${field}: ${sentence}`),
  )
  assert.deepEqual(wrong, [])
})

test('a version, a shared entry and the common fields are looked up in this order', () => {
  const made = new Descriptions({
    'shop.Base': { '': 'A base.', size: 'The size.', metadata: 'Its own.' },
    'shop.Order': { '': 'An order.', like: 'shop.Base', price: 'The price.' },
    'shop/v1beta1.Order': { '': 'An old order.' },
  })
  assert.equal(made.type('shop/v1.Order'), 'An order.')
  assert.equal(made.type('shop/v1beta1.Order'), 'An old order.')
  assert.equal(made.type('shop/v1.OrderList'), 'A list of Order objects.')
  assert.equal(made.type('shop/v1.Unknown'), undefined)
  assert.equal(made.field('shop/v1.Order', 'price'), 'The price.')
  assert.equal(made.field('shop/v1.Order', 'size'), 'The size.')
  assert.equal(made.field('shop/v1.Order', 'metadata'), 'Its own.')
  assert.match(made.field('shop/v1beta1.Order', 'metadata')!, /^Name, namespace/)
  assert.equal(made.field('shop/v1.OrderList', 'items'), 'The Order objects of the list.')
  assert.equal(made.field('shop/v1.Order', 'like'), undefined)
  assert.equal(made.field('shop/v1.Order', 'colour'), undefined)
})
