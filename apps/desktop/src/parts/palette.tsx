// Everything by its name: kinds, pages, clusters. Ctrl K from anywhere.

import { Dialog, DialogSurface } from '@fluentui/react-components'
import { useState, type KeyboardEvent } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { go } from '../data/navigate.ts'
import type { SessionCluster } from '../data/session.ts'
import { resourceId, titleOf } from '../model/resources.ts'
import { search, type PaletteEntry } from '../model/palette.ts'

export function Palette({
  clusters,
  inCluster,
  onClose,
}: {
  readonly clusters: readonly SessionCluster[]
  readonly inCluster?: boolean
  readonly onClose: () => void
}) {
  const others = clusters.map((each): PaletteEntry => ({
    title: each.name,
    detail: 'Cluster',
    words: each.group ?? '',
    route: { page: 'overview', cluster: each.key },
  }))
  return inCluster === true ? (
    <InCluster others={others} onClose={onClose} />
  ) : (
    <Box
      entries={[{ title: 'All clusters', detail: 'Page', words: '', route: { page: 'clusters' } }, ...others]}
      onClose={onClose}
    />
  )
}

function InCluster({ others, onClose }: { readonly others: readonly PaletteEntry[]; readonly onClose: () => void }) {
  const cluster = useCluster()
  const pages = (['overview', 'problems', 'pools', 'flows'] as const).map((page): PaletteEntry => ({
    title: { overview: 'Overview', problems: 'Diagnosis', pools: 'Node pools', flows: 'Live flows' }[page],
    detail: 'Page',
    words: page,
    route: { page, cluster: cluster.key },
  }))
  const kinds = cluster.resources
    .filter(({ group, resource }) => cluster.may({ verb: 'list', group, resource }))
    .map((resource): PaletteEntry => ({
      title: titleOf(resource),
      detail: resource.group === '' ? 'core' : resource.group,
      words: [resource.resource, resource.kind, ...resource.shortNames].join(' ').toLowerCase(),
      route: { page: 'list', cluster: cluster.key, resource: resourceId(resource), filter: '' },
    }))
  return (
    <Box
      entries={[
        ...pages,
        ...kinds,
        ...others,
        { title: 'All clusters', detail: 'Page', words: '', route: { page: 'clusters' } },
      ]}
      onClose={onClose}
    />
  )
}

function Box({ entries, onClose }: { readonly entries: readonly PaletteEntry[]; readonly onClose: () => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const found = search(entries, text).slice(0, 50)
  const choose = (entry: PaletteEntry | undefined): void => {
    if (entry === undefined) return
    onClose()
    go(entry.route)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') return choose(found[at])
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    setAt((at + step + found.length) % Math.max(1, found.length))
  }
  return (
    <Dialog open onOpenChange={(_, { open }) => !open && onClose()}>
      <DialogSurface className="palette" aria-label="Go to">
        <input
          autoFocus
          role="combobox"
          aria-expanded
          aria-controls="palette-list"
          aria-activedescendant={found.length > 0 ? `palette-${at}` : undefined}
          aria-label="Go to"
          placeholder="Go to a kind, a page or a cluster"
          value={text}
          onChange={({ currentTarget }) => {
            setText(currentTarget.value)
            setAt(0)
          }}
          onKeyDown={onKeyDown}
        />
        <ul id="palette-list" role="listbox" aria-label="Results">
          {found.map((entry, index) => (
            <li
              key={`${entry.detail} ${entry.title}`}
              id={`palette-${index}`}
              role="option"
              aria-selected={index === at}
              ref={(element) => {
                if (index === at) element?.scrollIntoView({ block: 'nearest' })
              }}
              onMouseMove={() => setAt(index)}
              onClick={() => choose(entry)}
            >
              <span>{entry.title}</span>
              <span className="dim" style={{ fontSize: 12 }}>
                {entry.detail}
              </span>
            </li>
          ))}
          {found.length === 0 && (
            <li role="option" aria-selected={false} className="dim">
              Nothing of that name
            </li>
          )}
        </ul>
      </DialogSurface>
    </Dialog>
  )
}
