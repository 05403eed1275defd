// The network as it is used: who talks to whom at this moment, and what policies drop.

import { Button, Input, Switch, Tab, TabList } from '@fluentui/react-components'
import { BranchForkRegular, PauseRegular, PlayRegular, SearchRegular } from '@fluentui/react-icons'
import { useEffect, useMemo, useState } from 'react'
import { callJson, clusterCall, socketUrl } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { readStream } from '../data/stream.ts'
import { useAsync } from '../data/use-async.ts'
import { edgesOf, flowRow, type FlowRow } from '../model/flow-records.ts'
import { lineSplitter } from '../model/list-watch.ts'
import { Command } from '../parts/findings.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'

const ROWS_MAX = 2000
const SHOWN_MAX = 300
const PICTURE_MS = 250

interface NodeItem {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
}

export function FlowsPage() {
  const cluster = useCluster()
  const nodes = useAsync(
    cluster.key,
    async (signal) =>
      (await callJson<{ readonly items: readonly NodeItem[] }>(clusterCall(cluster.key, '/api/v1/nodes'), { signal }))
        .items,
  )
  const real = nodes.value
    ?.filter(({ metadata }) => metadata.labels?.['aksel.dev/simulated'] !== 'true')
    .map(({ metadata }) => metadata.name)
  if (real === undefined)
    return (
      <>
        <div className="head">
          <h1>Live flows</h1>
        </div>
        {nodes.error === undefined ? <Loading label="Reading nodes" /> : <Failure error={nodes.error} />}
      </>
    )
  return real.length === 0 ? (
    <>
      <div className="head">
        <h1>Live flows</h1>
      </div>
      <Empty title="Simulated nodes have no packets" icon={<BranchForkRegular fontSize={32} />}>
        Flows are seen where containers really run.
      </Empty>
    </>
  ) : (
    <Flows nodes={real} />
  )
}

function Flows({ nodes }: { readonly nodes: readonly string[] }) {
  const [view, setView] = useState('edges')
  const [text, setText] = useState('')
  const [droppedOnly, setDroppedOnly] = useState(false)
  const [running, setRunning] = useState(true)
  const { rows, refused, open } = useFlows(nodes, running)
  const shown = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    return rows.filter(
      (row) =>
        (!droppedOnly || row.dropped) &&
        words.every((word) =>
          `${row.from} ${row.to} ${row.port} ${row.why} ${row.summary}`.toLowerCase().includes(word),
        ),
    )
  }, [rows, text, droppedOnly])
  const edges = useMemo(() => edgesOf(shown), [shown])
  return (
    <>
      <div className="head">
        <h1>Live flows</h1>
        <span className="sub">
          {rows.length === 0
            ? ''
            : `${rows.length.toLocaleString('en')} seen, ${rows.filter(({ dropped }) => dropped).length} dropped`}
        </span>
        <span className="grow" />
        <span className="live" role="status">
          <span className={`dot ${open > 0 && running ? 'good' : 'quiet'}`} style={{ margin: 0 }} />
          {running ? `${open} of ${nodes.length} nodes` : 'Paused'}
        </span>
        <Button size="small" icon={running ? <PauseRegular /> : <PlayRegular />} onClick={() => setRunning(!running)}>
          {running ? 'Pause' : 'Go on'}
        </Button>
      </div>
      <div className="tools">
        <TabList size="small" selectedValue={view} onTabSelect={(_, { value }) => setView(String(value))}>
          <Tab value="edges">Between workloads</Tab>
          <Tab value="flows">Flows</Tab>
        </TabList>
        <Input
          size="small"
          style={{ width: 260 }}
          contentBefore={<SearchRegular />}
          placeholder="Filter: shop 8080"
          aria-label="Filter flows"
          value={text}
          onChange={(_, { value }) => setText(value)}
        />
        <Switch label="Dropped only" checked={droppedOnly} onChange={(_, { checked }) => setDroppedOnly(checked)} />
      </div>
      <div className="scroll">
        <section className="card" aria-label="Flows">
          {refused !== undefined ? (
            <div className="empty">
              <BranchForkRegular fontSize={32} />
              <h2>This cluster shows no flows</h2>
              <p>{refused}</p>
              <Command text="az aks update -g GROUP -n NAME --enable-acns" />
            </div>
          ) : rows.length === 0 ? (
            <Empty title="No packets yet" icon={<BranchForkRegular fontSize={32} />}>
              As soon as a pod sends or gets something, it stands here.
            </Empty>
          ) : (
            <div className="body tablebox" tabIndex={0} style={{ paddingTop: 8 }}>
              {view === 'edges' ? <Edges edges={edges} /> : <Rows rows={shown} />}
            </div>
          )}
        </section>
      </div>
    </>
  )
}

function Edges({ edges }: { readonly edges: ReturnType<typeof edgesOf> }) {
  const most = Math.max(1, ...edges.map(({ forwarded, dropped }) => forwarded + dropped))
  return (
    <table className="plain">
      <thead>
        <tr>
          <th>From</th>
          <th>To</th>
          <th>Port</th>
          <th style={{ width: 160 }}>Flows</th>
          <th className="right">Forwarded</th>
          <th className="right">Dropped</th>
          <th>Why</th>
        </tr>
      </thead>
      <tbody>
        {edges.slice(0, SHOWN_MAX).map((edge) => (
          <tr key={`${edge.from} ${edge.to} ${edge.port}`}>
            <td>{edge.from}</td>
            <td>{edge.to}</td>
            <td className="mono">{edge.port}</td>
            <td>
              <div
                className="bar-parts"
                aria-hidden
                style={{ width: `${Math.max(6, ((edge.forwarded + edge.dropped) / most) * 100)}%` }}
              >
                {edge.forwarded > 0 && <i className="fill-good" style={{ flexGrow: edge.forwarded }} />}
                {edge.dropped > 0 && <i className="fill-bad" style={{ flexGrow: edge.dropped }} />}
              </div>
            </td>
            <td className="right">{edge.forwarded}</td>
            <td className={`right ${edge.dropped > 0 ? 'tone-bad' : 'dim'}`}>{edge.dropped}</td>
            <td className="dim" style={{ overflowWrap: 'anywhere' }}>
              {edge.why}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Rows({ rows }: { readonly rows: readonly FlowRow[] }) {
  return (
    <table className="plain tight">
      <thead>
        <tr>
          <th>Time</th>
          <th>From</th>
          <th>To</th>
          <th>Port</th>
          <th>Verdict</th>
          <th>Summary</th>
        </tr>
      </thead>
      <tbody>
        {rows
          .slice(-SHOWN_MAX)
          .toReversed()
          .map((row) => (
            <tr key={row.id}>
              <td className="mono dim">{row.time.slice(11, 23)}</td>
              <td>{row.from}</td>
              <td>{row.to}</td>
              <td className="mono">{row.port}</td>
              <td style={{ whiteSpace: 'nowrap' }}>
                <span className={`dot ${row.dropped ? 'bad' : 'good'}`} />
                {row.dropped ? 'Dropped' : 'Forwarded'}
              </td>
              <td className="dim" style={{ overflowWrap: 'anywhere' }}>
                {[row.summary, row.why].filter(Boolean).join(' · ')}
              </td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}

function useFlows(nodes: readonly string[], running: boolean) {
  const cluster = useCluster()
  const [state, setState] = useState<{
    readonly rows: readonly FlowRow[]
    readonly refused: string | undefined
    readonly open: number
  }>({ rows: [], refused: undefined, open: 0 })
  const key = nodes.join()
  useEffect(() => {
    if (!running) return
    const stop = new AbortController()
    let fresh: FlowRow[] = []
    let due: ReturnType<typeof setTimeout> | undefined
    const take = (): void => {
      due = undefined
      const added = fresh
      fresh = []
      setState((before) => ({ ...before, rows: [...before.rows, ...added].slice(-ROWS_MAX) }))
    }
    setState((before) => ({ ...before, open: nodes.length }))
    for (const node of nodes) {
      readStream(socketUrl(cluster.key, `/api/v1/nodes/${node}/proxy/flows`), {
        signal: stop.signal,
        onPiece: lineSplitter((line) => {
          const row = flowRow(line)
          if (row === undefined) return
          fresh.push(row)
          due ??= setTimeout(take, PICTURE_MS)
        }),
      }).catch((error: unknown) => {
        if (stop.signal.aborted) return
        const status = (error as { readonly status?: number }).status
        const words =
          status === 404 ? 'It was made without Advanced Container Networking Services.' : (error as Error).message
        setState((before) => ({ ...before, refused: words, open: before.open - 1 }))
      })
    }
    return () => {
      stop.abort()
      clearTimeout(due)
    }
  }, [key, running, cluster.key])
  return state
}
