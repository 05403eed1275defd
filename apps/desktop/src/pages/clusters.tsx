// All clusters: what they are, how they are, and what is being done to them at this moment.

import {
  Button,
  Menu,
  MenuDivider,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  ProgressBar,
} from '@fluentui/react-components'
import { AddRegular, CloudRegular, MoreHorizontalRegular, PlugConnectedRegular } from '@fluentui/react-icons'
import { lazy, Suspense, useState } from 'react'
import { armKey, groupOf, isUnderWay, order, type ArmCluster } from '../data/arm.ts'
import { go } from '../data/navigate.ts'
import type { Session, SessionCluster } from '../data/session.ts'
import { sessionClusters } from '../data/arm.ts'
import { Link } from '../parts/link.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'

const ConnectDialog = lazy(async () => ({ default: (await import('../parts/connect-dialog.tsx')).ConnectDialog }))
const ConfirmDialog = lazy(async () => ({ default: (await import('../parts/confirm-dialog.tsx')).ConfirmDialog }))

export interface ClustersPageProps {
  readonly session: Session
  readonly onSession: (session: Session) => void
  readonly clusters: readonly ArmCluster[]
  readonly error: unknown
  readonly waiting: boolean
  readonly again: () => void
}

export function ClustersPage({ session, onSession, clusters, error, waiting, again }: ClustersPageProps) {
  const [connecting, setConnecting] = useState(false)
  const others = sessionClusters(session, clusters).filter(({ key }) => !clusters.some((each) => armKey(each) === key))
  // An operation on a pool is one of its cluster, too.
  const busy = clusters.filter(
    ({ properties: { provisioningState, agentPoolProfiles = [] } }) =>
      isUnderWay(provisioningState) || agentPoolProfiles.some((pool) => isUnderWay(pool.provisioningState)),
  ).length
  return (
    <>
      <div className="head">
        <h1>Clusters</h1>
        <span className="sub">
          {clusters.length + others.length}
          {busy > 0 && `, ${busy} with an operation in progress`}
        </span>
        <span className="grow" />
        {session.mode === 'server' && (
          <Button size="small" icon={<PlugConnectedRegular />} onClick={() => setConnecting(true)}>
            Connect another
          </Button>
        )}
        {session.arm !== undefined && (
          <Button size="small" appearance="primary" icon={<AddRegular />} onClick={() => go({ page: 'create' })}>
            Create cluster
          </Button>
        )}
      </div>
      <div className="scroll">
        {error !== undefined && clusters.length === 0 ? (
          <Failure error={error} again={again} />
        ) : waiting && session.arm !== undefined ? (
          <Loading label="Reading clusters" />
        ) : clusters.length + others.length === 0 ? (
          <Empty title="No clusters yet" icon={<CloudRegular fontSize={32} />}>
            Create one: a control plane is ready in about two seconds.
          </Empty>
        ) : (
          <div className="stack">
            {clusters.length > 0 && <ServerClusters clusters={clusters} again={again} />}
            {others.length > 0 && <OtherClusters clusters={others} />}
          </div>
        )}
      </div>
      {connecting && (
        <Suspense fallback={null}>
          <ConnectDialog onSession={onSession} onClose={() => setConnecting(false)} />
        </Suspense>
      )}
    </>
  )
}

function ServerClusters({ clusters, again }: { readonly clusters: readonly ArmCluster[]; readonly again: () => void }) {
  const [steps, setSteps] = useState<Readonly<Record<string, string>>>({})
  const [removing, setRemoving] = useState<ArmCluster>()
  const [failure, setFailure] = useState<unknown>()
  const run = async (cluster: ArmCluster, method: string, path: string, first: string): Promise<void> => {
    const tell = (step: string | undefined): void =>
      setSteps((before) => {
        const rest = Object.fromEntries(Object.entries(before).filter(([id]) => id !== cluster.id))
        return step === undefined ? rest : { ...rest, [cluster.id]: step }
      })
    tell(first)
    setFailure(undefined)
    try {
      const started = order(cluster.id + path, { method }, tell)
      again()
      await started
    } catch (error) {
      setFailure(error)
    } finally {
      tell(undefined)
      again()
    }
  }
  return (
    <section className="card" aria-label="Clusters of this server">
      <div className="tablebox" style={{ padding: '4px 16px 8px' }} tabIndex={0}>
        <table className="plain">
          <thead>
            <tr>
              <th>Name</th>
              <th>State</th>
              <th>Kubernetes</th>
              <th>Node pools</th>
              <th>Tier</th>
              <th>Location</th>
              <th>
                <span className="gone">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {clusters.map((cluster) => (
              <tr key={cluster.id}>
                <td>
                  <div>
                    <Link to={{ page: 'overview', cluster: armKey(cluster) }}>
                      <b style={{ fontWeight: 600 }}>{cluster.name}</b>
                    </Link>
                    {cluster.properties.aksel?.simulated === true && (
                      <span className="chip sim" style={{ marginLeft: 8 }}>
                        simulated
                      </span>
                    )}
                  </div>
                  <div className="dim" style={{ fontSize: 12 }}>
                    {groupOf(cluster.id)}
                  </div>
                </td>
                <td style={{ minWidth: 200 }}>
                  <ClusterState cluster={cluster} step={steps[cluster.id]} />
                </td>
                <td>{cluster.properties.currentKubernetesVersion}</td>
                <td>
                  <Pools cluster={cluster} />
                </td>
                <td>{cluster.sku?.tier}</td>
                <td>{cluster.location}</td>
                <td className="right">
                  <ClusterMenu cluster={cluster} onRun={run} onRemove={() => setRemoving(cluster)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {failure !== undefined && <Failure error={failure} />}
      {removing !== undefined && (
        <Suspense fallback={null}>
          <ConfirmDialog
            title={`Delete the cluster ${removing.name}?`}
            action="Delete"
            word={removing.name}
            onClose={() => setRemoving(undefined)}
            onConfirm={async () => void run(removing, 'DELETE', '', 'Deleting')}
          >
            Its nodes, disks and everything that runs on it go for good.
          </ConfirmDialog>
        </Suspense>
      )}
    </section>
  )
}

export function ClusterState({ cluster, step }: { readonly cluster: ArmCluster; readonly step?: string | undefined }) {
  const { provisioningState, powerState, status, agentPoolProfiles = [] } = cluster.properties
  const poolsUnderWay = agentPoolProfiles.filter((pool) => isUnderWay(pool.provisioningState))
  const underWay = isUnderWay(provisioningState) || poolsUnderWay.length > 0
  const stopped = powerState?.code === 'Stopped'
  const failed = provisioningState === 'Failed'
  const tone = underWay ? 'busy' : failed ? 'bad' : stopped ? 'quiet' : 'good'
  const word = underWay
    ? isUnderWay(provisioningState)
      ? provisioningState
      : 'Updating'
    : failed
      ? 'Failed'
      : stopped
        ? 'Stopped'
        : 'Running'
  return (
    <>
      <span className={`dot ${tone}`} />
      {word}
      {underWay && (
        <div style={{ marginTop: 4 }}>
          <ProgressBar thickness="medium" aria-label={`${cluster.name}: ${word}`} />
          <div className="dim" style={{ fontSize: 12, marginTop: 2 }}>
            {step !== undefined && step !== '' && step !== 'InProgress'
              ? step
              : poolsUnderWay.map((pool) => `${pool.name}: ${pool.provisioningState}`).join(', ')}
          </div>
        </div>
      )}
      {failed && (
        <div className="tone-bad" style={{ fontSize: 12 }}>
          {status?.provisioningError?.message}
        </div>
      )}
    </>
  )
}

function Pools({ cluster }: { readonly cluster: ArmCluster }) {
  return (
    <>
      {(cluster.properties.agentPoolProfiles ?? []).map((pool) => (
        <div key={pool.name} style={{ whiteSpace: 'nowrap' }}>
          {pool.name}{' '}
          <span className="dim">
            {pool.count} × {pool.vmSize}
          </span>
        </div>
      ))}
    </>
  )
}

function ClusterMenu({
  cluster,
  onRun,
  onRemove,
}: {
  readonly cluster: ArmCluster
  readonly onRun: (cluster: ArmCluster, method: string, path: string, first: string) => Promise<void>
  readonly onRemove: () => void
}) {
  const stopped = cluster.properties.powerState?.code === 'Stopped'
  return (
    <Menu>
      <MenuTrigger disableButtonEnhancement>
        <Button
          appearance="subtle"
          size="small"
          icon={<MoreHorizontalRegular />}
          aria-label={`What to do with ${cluster.name}`}
        />
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          <MenuItem onClick={() => go({ page: 'overview', cluster: armKey(cluster) })}>Open</MenuItem>
          <MenuItem onClick={() => go({ page: 'pools', cluster: armKey(cluster) })}>Node pools</MenuItem>
          {stopped ? (
            <MenuItem onClick={() => void onRun(cluster, 'POST', '/start', 'Starting')}>Start</MenuItem>
          ) : (
            <MenuItem onClick={() => void onRun(cluster, 'POST', '/stop', 'Stopping')}>Stop</MenuItem>
          )}
          <MenuDivider />
          <MenuItem onClick={onRemove}>Delete</MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  )
}

function OtherClusters({ clusters }: { readonly clusters: readonly SessionCluster[] }) {
  return (
    <section className="card" aria-label="Clusters by credential">
      <header>
        <h2>By their own credentials</h2>
      </header>
      <div className="body tablebox" tabIndex={0}>
        <table className="plain">
          <thead>
            <tr>
              <th>Name</th>
              <th>API server</th>
              <th>Namespace</th>
            </tr>
          </thead>
          <tbody>
            {clusters.map((each) => (
              <tr key={each.key}>
                <td>
                  <Link to={{ page: 'overview', cluster: each.key }}>
                    <b style={{ fontWeight: 600 }}>{each.name}</b>
                  </Link>
                </td>
                <td className="mono dim">{each.server}</td>
                <td>{each.namespace ?? <span className="dim">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
