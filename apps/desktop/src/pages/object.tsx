// One object: what it is and how it is, with logs, terminal and YAML beside, and what may be done to it.

import { Tab, TabList } from '@fluentui/react-components'
import { lazy, Suspense } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { go } from '../data/navigate.ts'
import { useObject, type KubeObject } from '../data/use-object.ts'
import { toneOfObject } from '../model/object-state.ts'
import { selectorOf } from '../model/pod-selector.ts'
import { resourceId, titleOf, type ApiResource } from '../model/resources.ts'
import type { Route } from '../model/route.ts'
import { Link } from '../parts/link.tsx'
import { ObjectActions } from '../parts/object-actions.tsx'
import { ObjectDetails } from '../parts/object-details.tsx'
import { ObjectEvents } from '../parts/object-events.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'

const LogsTab = lazy(async () => ({ default: (await import('../parts/logs-tab.tsx')).LogsTab }))
const TerminalTab = lazy(async () => ({ default: (await import('../parts/terminal-tab.tsx')).TerminalTab }))
const YamlTab = lazy(async () => ({ default: (await import('../parts/yaml-tab.tsx')).YamlTab }))

type ObjectRoute = Extract<Route, { page: 'object' }>

export function ObjectPage({ route }: { readonly route: ObjectRoute }) {
  const resource = useCluster().find(route.resource)
  if (resource === undefined)
    return <Empty title="No such kind here">{`This cluster does not serve "${route.resource}".`}</Empty>
  return <OneObject route={route} resource={resource} />
}

function OneObject({ route, resource }: { readonly route: ObjectRoute; readonly resource: ApiResource }) {
  const cluster = useCluster()
  const { object, gone, error } = useObject(cluster.key, resource, route)
  const tabs = object === undefined ? [] : tabsOf(object, (action) => cluster.may(action, route.namespace))
  const tab = tabs.some(([id]) => id === route.tab) ? route.tab : 'details'
  const state = object === undefined ? undefined : toneOfObject(object)
  return (
    <>
      <div className="head" style={{ paddingBottom: 8 }}>
        <div className="titleblock">
          <div className="crumb">
            <Link to={{ page: 'list', cluster: cluster.key, resource: resourceId(resource), filter: '' }}>
              {titleOf(resource)}
            </Link>
            {route.namespace !== '' && ` in ${route.namespace}`}
          </div>
          <div className="row">
            <h1 className="cut">{route.name}</h1>
            {state !== undefined && (
              <span className="sub" style={{ whiteSpace: 'nowrap' }}>
                <span className={`dot ${gone ? 'quiet' : state.tone}`} />
                {gone ? 'Deleted' : state.text}
              </span>
            )}
          </div>
        </div>
        <span className="grow" />
        {object !== undefined && !gone && <ObjectActions resource={resource} object={object} />}
      </div>
      {object === undefined ? (
        error === undefined ? (
          <Loading label={`Reading ${route.name}`} />
        ) : (
          <Failure error={error} />
        )
      ) : (
        <>
          <div className="tabs">
            <TabList
              size="small"
              selectedValue={tab}
              onTabSelect={(_, { value }) => go({ ...route, tab: String(value) }, { replace: true })}
            >
              {tabs.map(([id, title]) => (
                <Tab key={id} value={id}>
                  {title}
                </Tab>
              ))}
            </TabList>
          </div>
          <Suspense fallback={<Loading label="Opening" />}>
            <TabBody tab={tab} resource={resource} object={object} />
          </Suspense>
        </>
      )}
    </>
  )
}

function TabBody({
  tab,
  resource,
  object,
}: {
  readonly tab: string
  readonly resource: ApiResource
  readonly object: KubeObject
}) {
  switch (tab) {
    case 'logs':
      return <LogsTab object={object} />
    case 'terminal':
      return <TerminalTab object={object} />
    case 'yaml':
      return <YamlTab resource={resource} object={object} />
    case 'events':
      return (
        <div className="scroll" style={{ paddingTop: 16 }}>
          <ObjectEvents object={object} />
        </div>
      )
    default:
      return <ObjectDetails resource={resource} object={object} />
  }
}

function tabsOf(
  object: KubeObject,
  may: (action: { verb: string; group: string; resource: string; subresource?: string }) => boolean,
) {
  const isPod = object.kind === 'Pod'
  const hasLogs =
    (isPod || selectorOf(object) !== undefined) && may({ verb: 'get', group: '', resource: 'pods', subresource: 'log' })
  const tabs: (readonly [string, string])[] = [['details', 'Details']]
  if (hasLogs) tabs.push(['logs', 'Logs'])
  if (isPod && may({ verb: 'create', group: '', resource: 'pods', subresource: 'exec' }))
    tabs.push(['terminal', 'Terminal'])
  tabs.push(['yaml', 'YAML'], ['events', 'Events'])
  return tabs
}
