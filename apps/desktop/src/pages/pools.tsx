// Node pools and their machines: as Resource Manager orders them, beside the nodes that came of it.

import {
  Button,
  Menu,
  MenuDivider,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  MessageBar,
  MessageBarBody,
  ProgressBar,
} from '@fluentui/react-components'
import { AddRegular, MoreHorizontalRegular } from '@fluentui/react-icons'
import { useState } from 'react'
import { armPath, isUnderWay, order, type ArmCluster, type ArmPool } from '../data/arm.ts'
import { callJson } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { useLiveTable } from '../data/live-table.ts'
import { useAsync } from '../data/use-async.ts'
import { toneOf } from '../model/kube-table.ts'
import { labelsText } from '../model/pool-plan.ts'
import { Link } from '../parts/link.tsx'
import {
  AddPoolDialog,
  DeletePoolDialog,
  PoolLabelsDialog,
  PowerPoolDialog,
  ScalePoolDialog,
  UpgradePoolDialog,
  type PoolOrder,
} from '../parts/pool-dialogs.tsx'
import { Empty } from '../parts/states.tsx'

const byName = { filter: '', sort: undefined } as const

interface Machine {
  readonly name: string
  readonly properties?: Readonly<Record<string, unknown>>
}

export function PoolsPage({ cluster, again }: { readonly cluster: ArmCluster; readonly again: () => void }) {
  const [open, setOpen] = useState<{ readonly what: PoolAction; readonly pool?: ArmPool }>()
  const [step, setStep] = useState('')
  const [error, setError] = useState('')
  const pools = cluster.properties.agentPoolProfiles ?? []
  const send = async ({ pool, says, method, path: below = '', properties, change }: PoolOrder): Promise<void> => {
    const path = `${cluster.id}/agentPools/${pool}`
    setError('')
    setStep(says)
    try {
      // Over what the pool has: a PUT that leaves something out takes it away.
      const has =
        change === undefined
          ? {}
          : (await callJson<{ readonly properties: Readonly<Record<string, unknown>> }>(armPath(path))).properties
      const body = method === 'PUT' ? { body: { properties: properties ?? { ...has, ...change } } } : {}
      const done = order(`${path}${below}`, { method, ...body }, (now) =>
        setStep(now === '' || now === 'InProgress' ? says : now),
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
  const close = (): void => setOpen(undefined)
  const onOrder = (asked: PoolOrder): void => void send(asked)
  return (
    <>
      <div className="head">
        <h1>Node pools</h1>
        <span className="sub">{pools.length}</span>
        <span className="grow" />
        <Button appearance="primary" size="small" icon={<AddRegular />} onClick={() => setOpen({ what: 'add' })}>
          Add pool
        </Button>
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
            <Pool key={pool.name} cluster={cluster} pool={pool} onAction={(what) => setOpen({ what, pool })} />
          ))}
        </div>
      </div>
      {open !== undefined && <OpenDialog open={open} cluster={cluster} onClose={close} onOrder={onOrder} />}
    </>
  )
}

type PoolAction = 'add' | 'scale' | 'upgrade' | 'labels' | 'power' | 'delete'

function OpenDialog({
  open: { what, pool },
  ...rest
}: {
  readonly open: { readonly what: PoolAction; readonly pool?: ArmPool }
  readonly cluster: ArmCluster
  readonly onClose: () => void
  readonly onOrder: (order: PoolOrder) => void
}) {
  if (pool === undefined) return <AddPoolDialog {...rest} />
  switch (what) {
    case 'add':
      return <AddPoolDialog {...rest} />
    case 'scale':
      return <ScalePoolDialog pool={pool} {...rest} />
    case 'upgrade':
      return <UpgradePoolDialog pool={pool} {...rest} />
    case 'labels':
      return <PoolLabelsDialog pool={pool} {...rest} />
    case 'power':
      return <PowerPoolDialog pool={pool} {...rest} />
    case 'delete':
      return <DeletePoolDialog pool={pool} {...rest} />
    default:
      return what satisfies never
  }
}

function Pool({
  cluster,
  pool,
  onAction,
}: {
  readonly cluster: ArmCluster
  readonly pool: ArmPool
  readonly onAction: (what: PoolAction) => void
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
        <Button size="small" onClick={() => onAction('scale')} disabled={underWay}>
          Scale
        </Button>
        <Menu>
          <MenuTrigger disableButtonEnhancement>
            <Button
              size="small"
              appearance="subtle"
              icon={<MoreHorizontalRegular />}
              aria-label={`What to do with ${pool.name}`}
              disabled={underWay}
            />
          </MenuTrigger>
          <MenuPopover>
            <MenuList>
              <MenuItem onClick={() => onAction('upgrade')}>Upgrade</MenuItem>
              <MenuItem onClick={() => onAction('labels')}>Labels and taints</MenuItem>
              <MenuItem onClick={() => onAction('power')}>
                {pool.powerState?.code === 'Stopped' ? 'Start' : 'Stop'}
              </MenuItem>
              <MenuDivider />
              <MenuItem onClick={() => onAction('delete')}>Delete</MenuItem>
            </MenuList>
          </MenuPopover>
        </Menu>
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
    ...(Object.keys(pool.nodeLabels ?? {}).length === 0 ? [] : [['Labels', labelsText(pool.nodeLabels)] as const]),
    ...((pool.nodeTaints ?? []).length === 0 ? [] : [['Taints', pool.nodeTaints!.join(', ')] as const]),
  ]
}
