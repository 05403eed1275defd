// Rows of lists pass on the text of managedFields; what they say is what the object says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '@aksel/api/resource'
import { encodeText } from '@aksel/base/json'
import { withoutManagers } from './record-managers.ts'
import { encodeForStore, StoredRecord } from './record.ts'

const entries = [
  {
    manager: 'kubectl',
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:a]}"b\\': {} } }, 'k:{"name":"é"}': { '.': {} } },
  },
]

test('an object without its managedFields and their text are the object', () => {
  const metadata = {
    name: 'web',
    uid: '1',
    annotations: { note: 'x,"managedFields":[{"manager":"nobody"}]', managedFields: '[]' },
    labels: { ünlike: '"}' },
    managedFields: entries,
  }
  const object = { kind: 'Pod', apiVersion: 'v1', metadata, spec: { nodeName: 'a', note: 'ä' } }
  // The text, as the entries of a store are parsed elsewhere.
  const parts = withoutManagers(encodeText(JSON.stringify(object)))!
  assert.deepEqual(JSON.parse(parts.managedFields), entries)
  const { managedFields: _, ...rest } = metadata
  assert.deepEqual(JSON.parse(parts.rest), { ...object, metadata: rest })
})

test('what has none, or has them elsewhere, is left to who parses all of it', () => {
  const template = { metadata: { labels: { a: 'b' }, managedFields: entries } }
  for (const metadata of [
    { name: 'web' },
    // First, or not last: nothing that we write.
    { managedFields: entries, name: 'web' },
    { managedFields: entries },
    { name: 'web', managedFields: entries, labels: {} },
  ])
    assert.equal(withoutManagers(encodeText(JSON.stringify({ kind: 'A', metadata, spec: { template } }))), undefined)
  const stored = encodeForStore({
    kind: 'A',
    apiVersion: 'v1',
    metadata: { name: 'a' },
    spec: template,
  } as unknown as KubernetesObject)
  assert.equal(withoutManagers(stored), undefined)
})

test('what a row takes of a record is what the parsed object would give, byte for byte', () => {
  const metadata = { name: 'web', namespace: 'shop', uid: '1', labels: { app: 'wéb' }, managedFields: entries }
  const stored = encodeForStore({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata,
    spec: { nodeName: 'a' },
  } as unknown as KubernetesObject)
  const item = { key: 'pods/shop/web', value: stored, createRevision: 1, modRevision: 7, version: 1 }
  const record = (): StoredRecord => new StoredRecord(item as unknown as StoredRecord['item'])
  const { object, managedFields } = record().lean()
  assert.equal(object.metadata.managedFields, undefined)
  assert.equal(
    `${JSON.stringify(object.metadata).slice(0, -1)},"managedFields":${managedFields}}`,
    JSON.stringify(record().object.metadata),
  )
})
