// The navigation: what this cluster serves and this person may see.

import {
  AppsListRegular,
  BranchForkRegular,
  GridRegular,
  HeartPulseRegular,
  ServerMultipleRegular,
} from '@fluentui/react-icons'
import type { ReactNode } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { navigation, resourceId } from '../model/resources.ts'
import type { Route } from '../model/route.ts'
import { Link } from './link.tsx'

export function Side({
  route,
  open,
  hasPools,
}: {
  readonly route: Route
  readonly open: boolean
  readonly hasPools: boolean
}) {
  const cluster = useCluster()
  const groups = navigation(cluster.resources, (resource) =>
    cluster.may({ verb: 'list', group: resource.group, resource: resource.resource }),
  )
  const at = 'resource' in route ? route.resource : route.page
  const seesNodes = cluster.may({ verb: 'get', group: '', resource: 'nodes', subresource: 'proxy' })
  const top: readonly (readonly ['overview' | 'problems' | 'pools' | 'flows', string, ReactNode, boolean])[] = [
    ['overview', 'Overview', <GridRegular key="i" fontSize={16} />, true],
    ['problems', 'Diagnosis', <HeartPulseRegular key="i" fontSize={16} />, true],
    ['pools', 'Node pools', <ServerMultipleRegular key="i" fontSize={16} />, hasPools],
    ['flows', 'Live flows', <BranchForkRegular key="i" fontSize={16} />, seesNodes],
  ]
  return (
    <nav className={`side${open ? ' open' : ''}`} aria-label="Cluster">
      <ul>
        {top
          .filter(([, , , shown]) => shown)
          .map(([page, title, icon]) => (
            <li key={page}>
              <Link to={{ page, cluster: cluster.key }} current={at === page}>
                {icon}
                {title}
              </Link>
            </li>
          ))}
      </ul>
      {groups.map(({ title, items }) => (
        <section key={title} aria-label={title}>
          <h2>{title}</h2>
          <ul>
            {items.map(({ resource, title: name }) => (
              <li key={resourceId(resource)}>
                <Link
                  to={{ page: 'list', cluster: cluster.key, resource: resourceId(resource), filter: '' }}
                  current={at === resourceId(resource)}
                  title={title === 'Custom resources' ? `${name} (${resource.group})` : name}
                >
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {groups.length === 0 && (
        <p className="dim" style={{ padding: 8, fontSize: 12 }}>
          <AppsListRegular /> There is nothing here that you may list. Choose another namespace above.
        </p>
      )}
    </nav>
  )
}
