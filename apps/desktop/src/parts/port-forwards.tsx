// Ports of a pod or a service on this machine: a listener of the desktop's server, or the command that does the same elsewhere.

import { Button } from '@fluentui/react-components'
import { useState } from 'react'
import { call, callJson, clusterCall } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { useAsync } from '../data/use-async.ts'
import type { KubeObject } from '../data/use-object.ts'
import { portsOf } from '../model/ports.ts'
import { Command } from './findings.tsx'

export interface ForwardView {
  readonly id: string
  readonly namespace: string
  readonly kind: 'Pod' | 'Service'
  readonly name: string
  readonly port: number
  readonly host: string
  readonly localPort: number
  readonly connections: number
  readonly error?: string
}

const ASK_MS = 3_000

function useForwards(cluster: string): { readonly forwards: readonly ForwardView[]; readonly again: () => void } {
  const { value, again } = useAsync(
    cluster,
    (signal) => callJson<{ readonly items: readonly ForwardView[] }>(clusterCall(cluster, '/forwards'), { signal }),
    ASK_MS,
  )
  return { forwards: value?.items ?? [], again }
}

/** Of one object; nothing where it has no port or one may not forward it. */
export function ObjectForwards({ object }: { readonly object: KubeObject }) {
  const cluster = useCluster()
  const { forwards, again } = useForwards(cluster.key)
  const [error, setError] = useState('')
  const ports = portsOf(object)
  const { name, namespace = '' } = object.metadata
  if (ports.length === 0) return null
  const may = cluster.may({ verb: 'create', group: '', resource: 'pods', subresource: 'portforward' }, namespace)
  const open = (port: number): void => {
    setError('')
    callJson<ForwardView>(clusterCall(cluster.key, '/forwards'), {
      method: 'POST',
      body: { namespace, kind: object.kind, name, port },
    }).then(again, (failure: unknown) => setError((failure as Error).message))
  }
  return (
    <section className="card" aria-label="Reach it from this machine">
      <header>
        <h2>Reach it from this machine</h2>
      </header>
      <div className="body stack">
        {may &&
          ports.map((port) => {
            const known = forwards.find(
              (each) =>
                each.kind === object.kind && each.name === name && each.namespace === namespace && each.port === port,
            )
            return known === undefined ? (
              <div key={port} className="row">
                <span className="mono">{port}</span>
                <Button size="small" onClick={() => open(port)}>
                  Forward port {port}
                </Button>
              </div>
            ) : (
              <ForwardRow key={port} forward={known} again={again} />
            )
          })}
        {error !== '' && <p className="tone-bad">{error}</p>}
        <p className="dim" style={{ fontSize: 12, margin: 0 }}>
          {may
            ? 'A forwarded port listens on the machine that serves this page, for programs there, until you stop it or sign out. From elsewhere:'
            : 'By kubectl:'}
        </p>
        {ports.map((port) => (
          <Command
            key={port}
            text={`kubectl port-forward -n ${namespace} ${object.kind.toLowerCase()}/${name} ${port < 1024 ? port + 8000 : port}:${port}`}
          />
        ))}
      </div>
    </section>
  )
}

/** All of the session in this cluster; nothing where there is none. */
export function ForwardList() {
  const cluster = useCluster()
  const { forwards, again } = useForwards(cluster.key)
  if (forwards.length === 0) return null
  return (
    <section className="card" aria-label="Forwarded ports">
      <header>
        <h2>Forwarded ports</h2>
      </header>
      <div className="body stack">
        {forwards.map((forward) => (
          <ForwardRow key={forward.id} forward={forward} again={again} named />
        ))}
      </div>
    </section>
  )
}

function ForwardRow({
  forward,
  again,
  named = false,
}: {
  readonly forward: ForwardView
  readonly again: () => void
  readonly named?: boolean
}) {
  const cluster = useCluster()
  const { id, namespace, kind, name, port, host, localPort, connections, error } = forward
  const url = `http://${host}:${localPort}/`
  const stop = (): void => {
    call(clusterCall(cluster.key, `/forwards/${id}`), { method: 'DELETE' }).then(again, again)
  }
  return (
    <div className="row wrap">
      {named && (
        <span>
          {kind} {namespace}/{name}
        </span>
      )}
      <span className="mono">{port}</span>
      <span aria-hidden>→</span>
      <a href={url} target="_blank" rel="noreferrer noopener" className="mono">
        {host}:{localPort}
      </a>
      <span className="dim" style={{ fontSize: 12 }}>
        {connections === 0 ? 'nobody connected' : `${connections} connected`}
      </span>
      {error !== undefined && <span className="tone-bad">{error}</span>}
      <span className="grow" />
      <Button size="small" aria-label={`Stop forwarding port ${port} of ${name}`} onClick={stop}>
        Stop
      </Button>
    </div>
  )
}
