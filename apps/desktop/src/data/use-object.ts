// One object, live: read, then watched; where it may be read and not watched, it is read again.

import { useEffect, useState } from 'react'
import { lineSplitter, RefusedError } from '../model/list-watch.ts'
import { apiPath, type ApiResource } from '../model/resources.ts'
import { CallError, callJson, clusterCall, socketUrl } from './api.ts'
import { readStream } from './stream.ts'

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly finalizers?: readonly string[]
    readonly ownerReferences?: readonly {
      readonly apiVersion: string
      readonly kind: string
      readonly name: string
      readonly controller?: boolean
    }[]
    readonly managedFields?: unknown
    readonly generation?: number
  }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

export interface ObjectState {
  readonly object: KubeObject | undefined
  readonly gone: boolean
  readonly error: unknown
}

const AGAIN_MS = 3000

export function useObject(
  cluster: string,
  resource: ApiResource,
  ref: { readonly namespace: string; readonly name: string },
): ObjectState {
  const path = apiPath(resource, { namespace: ref.namespace, name: ref.name })
  const list = apiPath(resource, { namespace: ref.namespace })
  const [state, setState] = useState<ObjectState>({ object: undefined, gone: false, error: undefined })
  useEffect(() => {
    const stop = new AbortController()
    setState({ object: undefined, gone: false, error: undefined })
    void follow(stop.signal)
    return () => stop.abort()

    async function follow(signal: AbortSignal): Promise<void> {
      let mayWatch = true
      while (!signal.aborted) {
        try {
          const object = await callJson<KubeObject>(clusterCall(cluster, path), { signal })
          setState({ object, gone: false, error: undefined })
          if (mayWatch) await watch(object.metadata.resourceVersion, signal)
        } catch (error) {
          if (signal.aborted) return
          if (error instanceof RefusedError && error.status === 403) mayWatch = false
          else if (error instanceof CallError && error.status === 404)
            setState((before) => ({ ...before, gone: true, error: before.object === undefined ? error : undefined }))
          else if (error instanceof CallError) setState((before) => ({ ...before, error }))
        }
        await new Promise((resolve) => setTimeout(resolve, mayWatch ? 500 : AGAIN_MS))
      }
    }

    function watch(revision: string, signal: AbortSignal): Promise<void> {
      const query = new URLSearchParams({
        watch: 'true',
        fieldSelector: `metadata.name=${ref.name}`,
        resourceVersion: revision,
        timeoutSeconds: '300',
      })
      return readStream(socketUrl(cluster, `${list}?${query.toString()}`), {
        signal,
        onPiece: lineSplitter((line) => {
          const { type, object } = JSON.parse(line) as {
            readonly type: string
            readonly object: KubeObject & { readonly code?: number }
          }
          if (type === 'ERROR') throw new RefusedError(object.code ?? 500, 'the watch ended')
          setState({ object, gone: type === 'DELETED', error: undefined })
        }),
      })
    }
  }, [cluster, path, list, ref.name])
  return state
}
