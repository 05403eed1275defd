// Logs of a pod, or of all pods of a workload side by side: followed, searched, filtered by what a line seems to be.

import {
  Button,
  Input,
  Menu,
  MenuItemCheckbox,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Switch,
} from '@fluentui/react-components'
import { ArrowDownloadRegular, SearchRegular } from '@fluentui/react-icons'
import { useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { nameOf, useLogs, useSources } from '../data/use-logs.ts'
import type { KubeObject } from '../data/use-object.ts'
import { searchPattern, splitMatches, visibleLines, type LogLine, type Severity } from '../model/log-lines.ts'
import { Empty } from './states.tsx'

const LINE = 18
const severities: readonly Severity[] = ['error', 'warn', 'info', 'debug']
const hues = ['Blue', 'Teal', 'Purple', 'Marigold', 'Magenta', 'Green', 'Berry', 'Steel'] as const

export function LogsTab({ object }: { readonly object: KubeObject }) {
  const [previous, setPrevious] = useState(false)
  const [follow, setFollow] = useState(true)
  const [stamps, setStamps] = useState(false)
  const [search, setSearch] = useState('')
  const [only, setOnly] = useState(false)
  const [levels, setLevels] = useState<ReadonlySet<Severity>>(new Set())
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  const sources = useSources(object)
  const { lines, problems } = useLogs(object.metadata.namespace ?? '', sources, previous)
  const deferred = useDeferredValue(search)
  const shown = useMemo(
    () => visibleLines(lines, { search: deferred, only, severities: levels, hidden }),
    [lines, deferred, only, levels, hidden],
  )
  const names = [...new Set(sources.map(nameOf))]
  const download = (): void => {
    const url = URL.createObjectURL(
      new Blob(shown.map(({ time, source, text }) => `${time} ${names.length > 1 ? `${source} ` : ''}${text}\n`)),
    )
    const link = document.createElement('a')
    link.href = url
    link.download = `${object.metadata.name}.log`
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <>
      <div className="tools" style={{ paddingTop: 12 }}>
        <Input
          size="small"
          style={{ width: 260 }}
          contentBefore={<SearchRegular />}
          placeholder="Search, or /pattern/i"
          aria-label="Search the log"
          value={search}
          onChange={(_, { value }) => setSearch(value)}
        />
        <Switch label="Only matches" checked={only} onChange={(_, { checked }) => setOnly(checked)} />
        <Choice
          label="Level"
          values={severities}
          chosen={[...levels]}
          onChange={(next) => setLevels(new Set(next as Severity[]))}
          all="All levels"
        />
        {names.length > 1 && (
          <Choice
            label="Containers"
            values={names}
            chosen={names.filter((name) => !hidden.has(name))}
            onChange={(next) => setHidden(new Set(names.filter((name) => !next.includes(name))))}
            all={`${names.length} containers`}
          />
        )}
        <span className="grow" />
        <Switch label="Previous run" checked={previous} onChange={(_, { checked }) => setPrevious(checked)} />
        <Switch label="Times" checked={stamps} onChange={(_, { checked }) => setStamps(checked)} />
        <Switch label="Follow" checked={follow} onChange={(_, { checked }) => setFollow(checked)} />
        <Button size="small" icon={<ArrowDownloadRegular />} onClick={download}>
          Download
        </Button>
      </div>
      <section className="card sheet" aria-label="Log">
        {lines.length === 0 ? (
          <Empty title={problems[0] === undefined ? 'No lines yet' : 'No log'}>
            {problems[0] ?? 'What its containers write appears here.'}
          </Empty>
        ) : (
          <LogText
            lines={shown}
            search={deferred}
            stamps={stamps}
            follow={follow}
            onScrollUp={() => setFollow(false)}
            sources={names}
          />
        )}
        <div className="vt-foot">
          <span>
            {shown.length.toLocaleString('en')} of {lines.length.toLocaleString('en')} lines
          </span>
          {lines.length > 0 && problems.length > 0 && <span className="tone-warn cut">{problems[0]}</span>}
        </div>
      </section>
    </>
  )
}

function Choice({
  label,
  values,
  chosen,
  onChange,
  all,
}: {
  readonly label: string
  readonly values: readonly string[]
  readonly chosen: readonly string[]
  readonly onChange: (chosen: readonly string[]) => void
  readonly all: string
}) {
  return (
    <Menu checkedValues={{ value: [...chosen] }} onCheckedValueChange={(_, { checkedItems }) => onChange(checkedItems)}>
      <MenuTrigger disableButtonEnhancement>
        <Button size="small" title={label}>
          {chosen.length === 0 || chosen.length === values.length ? all : chosen.join(', ')}
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {values.map((value) => (
            <MenuItemCheckbox key={value} name="value" value={value}>
              {value}
            </MenuItemCheckbox>
          ))}
        </MenuList>
      </MenuPopover>
    </Menu>
  )
}

interface LogTextProps {
  readonly lines: readonly LogLine[]
  readonly search: string
  readonly stamps: boolean
  readonly follow: boolean
  readonly onScrollUp: () => void
  readonly sources: readonly string[]
}

function LogText({ lines, search, stamps, follow, onScrollUp, sources }: LogTextProps) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 500 })
  const pattern = searchPattern(search)
  useLayoutEffect(() => {
    if (follow) box.current!.scrollTop = box.current!.scrollHeight
  }, [lines, follow])
  useLayoutEffect(() => {
    const measure = new ResizeObserver(() =>
      setView({ top: box.current!.scrollTop, height: box.current!.clientHeight }),
    )
    measure.observe(box.current!)
    return () => measure.disconnect()
  }, [])
  const first = Math.max(0, Math.floor(view.top / LINE) - 5)
  const last = Math.min(lines.length, Math.ceil((view.top + view.height) / LINE) + 5)
  return (
    <div
      ref={box}
      className="log"
      tabIndex={0}
      role="log"
      aria-label="Log lines"
      aria-live="off"
      onWheel={({ deltaY }) => deltaY < 0 && onScrollUp()}
      onKeyDown={({ key }) => ['ArrowUp', 'PageUp', 'Home'].includes(key) && onScrollUp()}
      onScroll={({ currentTarget: { scrollTop, clientHeight } }) => setView({ top: scrollTop, height: clientHeight })}
    >
      <div style={{ position: 'relative', height: lines.length * LINE, minWidth: 'max-content' }}>
        {lines.slice(first, last).map((line, at) => (
          <div key={line.number} className="log-line" style={{ top: (first + at) * LINE }}>
            {stamps && <span className="log-time">{line.time.slice(0, 23)}</span>}
            {sources.length > 1 && (
              <span
                style={{
                  color: `var(--colorPalette${hues[sources.indexOf(line.source) % hues.length]}Foreground2)`,
                  marginRight: 12,
                }}
              >
                {line.source}
              </span>
            )}
            <span
              className={
                line.severity === 'error'
                  ? 'tone-bad'
                  : line.severity === 'warn'
                    ? 'tone-warn'
                    : line.severity === 'debug'
                      ? 'dim'
                      : ''
              }
            >
              {splitMatches(line.text, pattern).map((piece, index) =>
                index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece,
              )}
            </span>
          </div>
        ))}
      </div>
    </div>
  )
}
