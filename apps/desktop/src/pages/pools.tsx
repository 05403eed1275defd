// Node pools and their machines: as Resource Manager orders them, beside the nodes that came of it.

import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Field,
  MessageBar,
  MessageBarBody,
  ProgressBar,
  SpinButton,
} from '@fluentui/react-components'
import { useState } from 'react'
import { isUnderWay, order, type ArmCluster, type ArmPool } from '../data/arm.ts'
import { callJson } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { useLiveTable } from '../data/live-table.ts'
import { useAsync } from '../data/use-async.ts'
import { toneOf } from '../model/kube-table.ts'
import { Command } from '../parts/findings.tsx'
import { Link } from '../parts/link.tsx'
import { Empty } from '../parts/states.tsx'

const byName = { filter: '', sort: undefined } as const

interface Machine {
  readonly name: string
  readonly properties?: Readonly<Record<string, unknown>>
}

export function PoolsPage({ cluster, again }: { readonly cluster: ArmCluster; readonly again: () => void }) {
  const [scaling, setScaling] = useState<ArmPool>()
  const [step, setStep] = useState('')
  const [error, setError] = useState('')
  const pools = cluster.properties.agentPoolProfiles ?? []
  const scale = async (pool: ArmPool, count: number): Promise<void> => {
    const path = `${cluster.id}/agentPools/${pool.name}`
    setError('')
    try {
      const { properties } = await callJson<{ readonly properties: Readonly<Record<string, unknown>> }>(
        `arm${path}?api-version=2026-05-01`,
      )
      setStep(`Scaling ${pool.name} to ${count}`)
      const done = order(path, { method: 'PUT', body: { properties: { ...properties, count } } }, (now) =>
        setStep(now === 'InProgress' ? `Scaling ${pool.name} to ${count}` : now),
      )
      again()
      await done
    } catch (failure) {
      setError((failure as Error).message)
    } finally {
      setStep('')
      again()
    }
  }
  return (
    <>
      <div className="head">
        <h1>Node pools</h1>
        <span className="sub">{pools.length}</span>
      </div>
      <div className="scroll">
        <div className="stack">
          {step !== '' && (
            <div role="status">
              <ProgressBar aria-label={step} />
              <div className="dim" style={{ fontSize: 12, marginTop: 4 }}>
                {step}
              </div>
            </div>
          )}
          {error !== '' && (
            <MessageBar intent="error" layout="multiline">
              <MessageBarBody>{error}</MessageBarBody>
            </MessageBar>
          )}
          {pools.length === 0 && <Empty title="No node pools" />}
          {pools.map((pool) => (
            <Pool key={pool.name} cluster={cluster} pool={pool} onScale={() => setScaling(pool)} />
          ))}
        </div>
      </div>
      {scaling !== undefined && (
        <ScaleDialog
          cluster={cluster}
          pool={scaling}
          onClose={() => setScaling(undefined)}
          onScale={(count) => void scale(scaling, count)}
        />
      )}
    </>
  )
}

function Pool({
  cluster,
  pool,
  onScale,
}: {
  readonly cluster: ArmCluster
  readonly pool: ArmPool
  readonly onScale: () => void
}) {
  const here = useCluster()
  const nodes = here.find('nodes')
  const { update } = useLiveTable(nodes === undefined ? [] : here.places(nodes), [], {
    ...byName,
    filter: `label:kubernetes.azure.com/agentpool=${pool.name}`,
  })
  const machines = useAsync(
    `${cluster.id} ${pool.name}`,
    async (signal) =>
      (
        await callJson<{ readonly value: readonly Machine[] }>(
          `arm${cluster.id}/agentPools/${pool.name}/machines?api-version=2026-05-01`,
          { signal },
        )
      ).value,
    5000,
  )
  const at = (name: string): number => update?.columns.findIndex((column) => column.name === name) ?? -1
  const rows = new Map((update?.rows ?? []).map((row) => [row.name, row]))
  const names = machines.value?.map(({ name }) => name) ?? [...rows.keys()]
  const underWay = isUnderWay(pool.provisioningState)
  return (
    <section className="card" aria-label={`Pool ${pool.name}`}>
      <header>
        <h2>{pool.name}</h2>
        <span className="chip">{pool.mode}</span>
        {pool.aksel?.simulated === true && <span className="chip sim">simulated</span>}
        <span className="dim" style={{ fontSize: 12 }}>
          <span className={`dot ${underWay ? 'busy' : pool.provisioningState === 'Failed' ? 'bad' : 'good'}`} />
          {underWay || pool.provisioningState === 'Failed'
            ? pool.provisioningState
            : (pool.powerState?.code ?? 'Running')}
        </span>
        <span className="grow" />
        <Button size="small" onClick={onScale} disabled={underWay}>
          Scale
        </Button>
      </header>
      <div className="body">
        <dl
          className="facts"
          style={{
            gridTemplateColumns: 'repeat(auto-fit, minmax(120px, max-content) )',
            display: 'flex',
            flexWrap: 'wrap',
            gap: '4px 32px',
            marginBottom: 12,
          }}
        >
          {factsOf(pool).map(([name, value]) => (
            <div key={name} className="row">
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {pool.status?.provisioningError?.message !== undefined && (
          <p className="tone-bad">{pool.status.provisioningError.message}</p>
        )}
        <div className="tablebox" tabIndex={0} aria-label={`Machines of ${pool.name}`}>
          <table className="plain">
            <thead>
              <tr>
                <th>Machine</th>
                <th>Node</th>
                <th>Version</th>
                <th>Address</th>
                <th>Image</th>
              </tr>
            </thead>
            <tbody>
              {names.map((name) => {
                const row = rows.get(name)
                const status = String(row?.cells[at('Status')] ?? 'not registered')
                return (
                  <tr key={name}>
                    <td>
                      {row === undefined ? (
                        name
                      ) : (
                        <Link
                          to={{
                            page: 'object',
                            cluster: here.key,
                            resource: 'nodes',
                            namespace: '',
                            name,
                            tab: 'details',
                          }}
                        >
                          {name}
                        </Link>
                      )}
                    </td>
                    <td style={{ whiteSpace: 'nowrap' }}>
                      <span className={`dot ${row === undefined ? 'busy' : (toneOf('Status', status) ?? 'good')}`} />
                      {status}
                    </td>
                    <td>{row?.cells[at('Version')]}</td>
                    <td className="mono">{row?.cells[at('Internal-IP')]}</td>
                    <td className="dim">{row?.cells[at('OS-Image')]}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  )
}

function factsOf(pool: ArmPool): readonly (readonly [string, string])[] {
  const scaling =
    pool.enableAutoScaling === true ? `${pool.minCount} to ${pool.maxCount}, automatic` : String(pool.count)
  return [
    ['Nodes', scaling],
    ['Size', pool.vmSize ?? ''],
    ['System', pool.osType ?? ''],
    ['Kubernetes', pool.currentOrchestratorVersion ?? ''],
    ['Image', pool.nodeImageVersion ?? ''],
    ['Zones', pool.availabilityZones?.join(', ') ?? 'none'],
  ]
}

function ScaleDialog({
  cluster,
  pool,
  onClose,
  onScale,
}: {
  readonly cluster: ArmCluster
  readonly pool: ArmPool
  readonly onClose: () => void
  readonly onScale: (count: number) => void
}) {
  const [count, setCount] = useState(pool.count ?? 1)
  const group = /\/resourceGroups\/([^/]+)/i.exec(cluster.id)?.[1] ?? ''
  return (
    <Dialog open onOpenChange={(_, { open }) => !open && onClose()}>
      <DialogSurface style={{ maxWidth: 480 }}>
        <DialogBody>
          <DialogTitle>Scale {pool.name}</DialogTitle>
          <DialogContent className="stack">
            <Field label="Nodes">
              <SpinButton
                min={0}
                max={1000}
                value={count}
                onChange={(_, { value, displayValue }) => setCount(value ?? (Number(displayValue) || 0))}
              />
            </Field>
            <Command
              text={`az aks nodepool scale -g ${group} --cluster-name ${cluster.name} -n ${pool.name} -c ${count}`}
            />
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>Cancel</Button>
            <Button
              appearance="primary"
              disabled={count === pool.count}
              onClick={() => {
                onScale(count)
                onClose()
              }}
            >
              Scale
            </Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  )
}
