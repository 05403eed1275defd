// The bar at the top: cluster, namespaces, search, colours, who one is.

import {
  Button,
  Menu,
  MenuDivider,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Tooltip,
} from '@fluentui/react-components'
import {
  ChevronDownRegular,
  NavigationRegular,
  PersonRegular,
  SearchRegular,
  ServerRegular,
  WeatherMoonRegular,
  WeatherSunnyRegular,
} from '@fluentui/react-icons'
import type { ThemeChoice, ThemeState } from '../app.tsx'
import { useCluster } from '../data/cluster.tsx'
import { go } from '../data/navigate.ts'
import { signOut, type Session, type SessionCluster } from '../data/session.ts'
import mark from '../mark.svg'
import { Link } from './link.tsx'
import { NamespacePicker } from './namespace-picker.tsx'

export interface TopBarProps {
  readonly session: Session
  readonly onSession: (session: Session) => void
  readonly theme: ThemeState
  readonly clusters: readonly SessionCluster[]
  readonly current: SessionCluster | undefined
  readonly inCluster: boolean
  readonly onSearch: () => void
  readonly onNav: () => void
}

export function TopBar(props: TopBarProps) {
  const { current, inCluster, theme } = props
  return (
    <header className="bar">
      {inCluster && (
        <Button
          className="only-narrow"
          appearance="subtle"
          icon={<NavigationRegular />}
          aria-label="Navigation"
          onClick={props.onNav}
        />
      )}
      <Link to={{ page: 'clusters' }} className="brand" label="Aksel: all clusters">
        <img src={mark} alt="" />
        <span className="hide-narrow">Aksel</span>
      </Link>
      {current !== undefined && (
        <>
          <span className="slash" aria-hidden>
            /
          </span>
          <ClusterPicker clusters={props.clusters} current={current} />
        </>
      )}
      {inCluster && (
        <>
          <span className="slash" aria-hidden>
            /
          </span>
          <NamespacePicker />
        </>
      )}
      <span className="grow" />
      <Button
        appearance="subtle"
        size="small"
        icon={<SearchRegular />}
        onClick={props.onSearch}
        aria-label="Search, Ctrl K"
      >
        <span className="hide-narrow dim" style={{ fontWeight: 400 }}>
          Search&ensp;<kbd className="chip">Ctrl K</kbd>
        </span>
      </Button>
      <Menu
        checkedValues={{ theme: [theme.choice] }}
        onCheckedValueChange={(_, { checkedItems }) => theme.choose(checkedItems[0] as ThemeChoice)}
      >
        <MenuTrigger disableButtonEnhancement>
          <Tooltip content="Colours" relationship="label">
            <Button appearance="subtle" icon={theme.isDark ? <WeatherMoonRegular /> : <WeatherSunnyRegular />} />
          </Tooltip>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            <MenuItemRadio name="theme" value="system">
              As the system
            </MenuItemRadio>
            <MenuItemRadio name="theme" value="light">
              Light
            </MenuItemRadio>
            <MenuItemRadio name="theme" value="dark">
              Dark
            </MenuItemRadio>
          </MenuList>
        </MenuPopover>
      </Menu>
      <Menu>
        <MenuTrigger disableButtonEnhancement>
          <Tooltip content="Account" relationship="label">
            <Button appearance="subtle" icon={<PersonRegular />} />
          </Tooltip>
        </MenuTrigger>
        <MenuPopover>
          <div style={{ padding: '8px 12px', maxWidth: 300, fontSize: 12 }}>
            {inCluster ? <WhoInCluster /> : <Who session={props.session} />}
          </div>
          <MenuDivider />
          <MenuList>
            <MenuItem
              onClick={() => void signOut().then(() => props.onSession({ signedIn: false, mode: props.session.mode }))}
            >
              Sign out
            </MenuItem>
          </MenuList>
        </MenuPopover>
      </Menu>
    </header>
  )
}

function Who({ session }: { readonly session: Session }) {
  return (
    <>
      <div className="dim">Signed in as</div>
      <div className="mono cut">
        {session.arm === undefined ? `${session.clusters?.length ?? 0} cluster identities` : session.arm.clientId}
      </div>
    </>
  )
}

function WhoInCluster() {
  const { username, groups, name } = useCluster()
  return (
    <>
      <div className="dim">In {name} you are</div>
      <div className="mono" style={{ overflowWrap: 'anywhere' }}>
        {username}
      </div>
      <div className="dim" style={{ marginTop: 4, overflowWrap: 'anywhere' }}>
        {groups.filter((group) => group !== 'system:authenticated').join(', ')}
      </div>
    </>
  )
}

function ClusterPicker({
  clusters,
  current,
}: {
  readonly clusters: readonly SessionCluster[]
  readonly current: SessionCluster
}) {
  return (
    <Menu checkedValues={{ cluster: [current.key] }}>
      <MenuTrigger disableButtonEnhancement>
        <Button appearance="subtle" size="small" icon={<ServerRegular />} aria-label={`Cluster ${current.name}`}>
          <span className="cut" style={{ maxWidth: 180 }}>
            {current.name}
          </span>
          <ChevronDownRegular style={{ marginLeft: 4 }} fontSize={12} />
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {clusters.map((each) => (
            <MenuItemRadio
              key={each.key}
              name="cluster"
              value={each.key}
              onClick={() => go({ page: 'overview', cluster: each.key })}
              secondaryContent={each.group ?? ''}
            >
              {each.name}
            </MenuItemRadio>
          ))}
          <MenuDivider />
          <MenuItem onClick={() => go({ page: 'clusters' })}>All clusters</MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  )
}
