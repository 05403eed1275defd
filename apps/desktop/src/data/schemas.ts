// The server's OpenAPI of a group version, read once.

import { schemaOf, type Schema, type SchemaDocument } from '../model/schema.ts'
import type { ApiResource } from '../model/resources.ts'
import { callJson, clusterCall } from './api.ts'

const read = new Map<string, Promise<SchemaDocument>>()

export interface KindSchema {
  readonly document: SchemaDocument
  readonly root: Schema
}

/** Undefined where the server tells none. */
export async function kindSchema(
  cluster: string,
  { group, version, kind }: ApiResource,
): Promise<KindSchema | undefined> {
  const path = group === '' ? `/openapi/v3/api/${version}` : `/openapi/v3/apis/${group}/${version}`
  const key = `${cluster}${path}`
  const document = read.get(key) ?? callJson<SchemaDocument>(clusterCall(cluster, path))
  read.set(key, document)
  try {
    const answered = await document
    const root = schemaOf(answered, { group, version, kind })
    return root === undefined ? undefined : { document: answered, root }
  } catch {
    read.delete(key)
    return undefined
  }
}
