// The frame around every page: where one is, the way elsewhere, and the page itself.

import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react'
import { useRoute } from '../data/navigate.ts'
import type { Session } from '../data/session.ts'
import { isUnderWay, listClusters, sessionClusters, type ArmCluster } from '../data/arm.ts'
import { useAsync } from '../data/use-async.ts'
import { ClusterProvider } from '../data/cluster.tsx'
import type { ThemeState } from '../app.tsx'
import { ClustersPage } from '../pages/clusters.tsx'
import { ListPage } from '../pages/list.tsx'
import { OverviewPage } from '../pages/overview.tsx'
import type { Route } from '../model/route.ts'
import { Side } from './side.tsx'
import { Empty, Failure, Loading } from './states.tsx'
import { TopBar } from './top-bar.tsx'

const ObjectPage = lazy(async () => ({ default: (await import('../pages/object.tsx')).ObjectPage }))
const PoolsPage = lazy(async () => ({ default: (await import('../pages/pools.tsx')).PoolsPage }))
const FlowsPage = lazy(async () => ({ default: (await import('../pages/flows.tsx')).FlowsPage }))
const ProblemsPage = lazy(async () => ({ default: (await import('../pages/problems.tsx')).ProblemsPage }))
const CreatePage = lazy(async () => ({ default: (await import('../pages/create-cluster.tsx')).CreatePage }))
const Palette = lazy(async () => ({ default: (await import('./palette.tsx')).Palette }))

const POLL_MS = { rest: 5000, busy: 1500 } as const

export interface FrameProps {
  readonly session: Session
  readonly onSession: (session: Session) => void
  readonly theme: ThemeState
}

export function Frame({ session, onSession, theme }: FrameProps) {
  const route = useRoute()
  const [busy, setBusy] = useState(false)
  const [navOpen, setNavOpen] = useState(false)
  const [palette, setPalette] = useState(false)
  const arm = useAsync('clusters', (signal) => listClusters(session, signal), busy ? POLL_MS.busy : POLL_MS.rest)
  const clusters = arm.value ?? []
  const underWay = clusters.some(({ properties }) => isUnderWay(properties.provisioningState))
  useEffect(() => setBusy(underWay), [underWay])
  useEffect(() => setNavOpen(false), [route.page])
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey)) return
      event.preventDefault()
      setPalette(true)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  const reachable = sessionClusters(session, clusters)
  const key = 'cluster' in route ? route.cluster : undefined
  const current = reachable.find((each) => each.key === key)
  const ofServer = clusters.find(
    (each) => current?.group !== undefined && each.name === current.name && each.id.includes(`/${current.group}/`),
  )
  const bar = {
    session,
    onSession,
    theme,
    clusters: reachable,
    current,
    onSearch: () => setPalette(true),
    onNav: () => setNavOpen(!navOpen),
  }
  if (key === undefined)
    return (
      <div className="frame nonav">
        <TopBar {...bar} inCluster={false} />
        <nav hidden />
        <main className="main" id="main">
          <Suspense fallback={<Loading label="Opening" />}>
            {route.page === 'create' ? (
              <CreatePage session={session} />
            ) : (
              <ClustersPage
                session={session}
                onSession={onSession}
                clusters={clusters}
                error={arm.error}
                waiting={arm.value === undefined}
                again={arm.again}
              />
            )}
          </Suspense>
        </main>
        {palette && (
          <Suspense fallback={null}>
            <Palette clusters={reachable} onClose={() => setPalette(false)} />
          </Suspense>
        )}
      </div>
    )
  const outside = (content: ReactNode) => (
    <div className="frame nonav">
      <TopBar {...bar} inCluster={false} />
      <nav hidden />
      <main className="main" id="main">
        {content}
      </main>
    </div>
  )
  if (current === undefined)
    return outside(
      arm.value === undefined && session.arm !== undefined ? (
        <Loading label="Reading clusters" />
      ) : (
        <Empty title="No such cluster">It is gone, or this session may not see it.</Empty>
      ),
    )
  return (
    <ClusterProvider
      key={current.key}
      of={current}
      otherwise={(state) =>
        outside(
          state === undefined ? (
            <Loading label={`Reading ${current.name}`} />
          ) : (
            <Failure error={state.error} again={state.again} />
          ),
        )
      }
    >
      <div className="frame">
        <a className="skip" href="#main">
          Skip to the page
        </a>
        <TopBar {...bar} inCluster />
        <Side route={route} open={navOpen} hasPools={ofServer !== undefined} />
        <main className="main" id="main" tabIndex={-1}>
          <Suspense fallback={<Loading label="Opening" />}>{pageOf(route, ofServer, arm.again)}</Suspense>
        </main>
        {palette && (
          <Suspense fallback={null}>
            <Palette inCluster clusters={reachable} onClose={() => setPalette(false)} />
          </Suspense>
        )}
      </div>
    </ClusterProvider>
  )
}

/** A plain function: a component made in here would be a new one with every drawing. */
function pageOf(at: Route, ofServer: ArmCluster | undefined, again: () => void) {
  switch (at.page) {
    case 'overview':
      return <OverviewPage cluster={ofServer} />
    case 'list':
      return <ListPage id={at.resource} filter={at.filter} />
    case 'object':
      return <ObjectPage key={`${at.resource} ${at.namespace} ${at.name}`} route={at} />
    case 'pools':
      return ofServer === undefined ? (
        <Empty title="No node pools">This cluster is none of this server.</Empty>
      ) : (
        <PoolsPage cluster={ofServer} again={again} />
      )
    case 'flows':
      return <FlowsPage />
    case 'problems':
      return <ProblemsPage />
    case 'clusters':
    case 'create':
      return null
    default:
      return at satisfies never
  }
}
