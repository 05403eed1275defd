// Empties a node: no new pods, and those on it move elsewhere as their budgets allow.

import { ProgressBar } from '@fluentui/react-components'
import { useEffect, useRef, useState } from 'react'
import { useCluster } from '../data/cluster.tsx'
import { drain, sendOrder, type DrainProgress } from '../data/send-order.ts'
import { cordonOrder } from '../model/actions.ts'
import { DialogFrame } from './dialog-frame.tsx'

export function DrainDialog({ node, onClose }: { readonly node: string; readonly onClose: () => void }) {
  const cluster = useCluster()
  const [progress, setProgress] = useState<DrainProgress>()
  const [done, setDone] = useState('')
  const [error, setError] = useState('')
  const stop = useRef(new AbortController())
  useEffect(() => () => stop.current.abort(), [])
  const begin = async (): Promise<void> => {
    setProgress({ left: 0, total: 0, waiting: '' })
    try {
      await sendOrder(cluster.key, cordonOrder(cluster.find('nodes')!, node, true))
      const { stay } = await drain(cluster.key, node, stop.current.signal, setProgress)
      setDone(
        stay.length === 0 ? 'Nothing is left on it.' : `${stay.length} pods of DaemonSets and static pods stay on it.`,
      )
    } catch (failure) {
      if (!stop.current.signal.aborted) setError((failure as Error).message)
    }
  }
  const running = progress !== undefined && done === '' && error === ''
  return (
    <DialogFrame
      title={`Drain ${node}`}
      isQuestion
      error={error}
      leave={done === '' ? (running ? 'Stop' : 'Cancel') : 'Close'}
      onClose={onClose}
      {...(done === '' ? { action: { title: 'Drain', disabled: running, run: () => void begin() } } : {})}
    >
      <div>
        It takes no new pods. Its pods are evicted as their disruption budgets allow; data in their emptyDirs is lost.
      </div>
      {progress !== undefined && (
        <div role="status">
          <ProgressBar
            {...(running && progress.total === 0
              ? {}
              : { value: progress.total === 0 ? 1 : (progress.total - progress.left) / progress.total })}
            aria-label="Drained"
          />
          <div className="dim" style={{ fontSize: 12, marginTop: 4 }}>
            {done === '' ? `${progress.total - progress.left} of ${progress.total} gone` : done}
          </div>
          {progress.waiting !== '' && (
            <div className="tone-warn" style={{ fontSize: 12 }}>
              {progress.waiting}
            </div>
          )}
        </div>
      )}
    </DialogFrame>
  )
}
