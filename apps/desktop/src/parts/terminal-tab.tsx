// A terminal in a container: the shell that is there, over the API server's own exec.

import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { Button, Menu, MenuItemRadio, MenuList, MenuPopover, MenuTrigger } from '@fluentui/react-components'
import { useEffect, useRef, useState } from 'react'
import { socketUrl } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import type { KubeObject } from '../data/use-object.ts'
import { channels, EXEC_PROTOCOLS, frame, readFrame, resizeFrame } from '../model/exec-frames.ts'

/** The better shell where there are two. */
const SHELL = ['sh', '-c', 'command -v bash >/dev/null 2>&1 && exec bash || exec sh']

export function TerminalTab({ object }: { readonly object: KubeObject }) {
  const containers = ((object.spec?.['containers'] ?? []) as readonly { readonly name: string }[]).map(
    ({ name }) => name,
  )
  const [container, setContainer] = useState(containers[0] ?? '')
  const [round, setRound] = useState(0)
  const [state, setState] = useState('Connecting')
  return (
    <>
      <div className="tools" style={{ paddingTop: 12 }}>
        <Menu
          checkedValues={{ container: [container] }}
          onCheckedValueChange={(_, { checkedItems }) => setContainer(checkedItems[0]!)}
        >
          <MenuTrigger disableButtonEnhancement>
            <Button size="small">Container {container}</Button>
          </MenuTrigger>
          <MenuPopover>
            <MenuList>
              {containers.map((name) => (
                <MenuItemRadio key={name} name="container" value={name}>
                  {name}
                </MenuItemRadio>
              ))}
            </MenuList>
          </MenuPopover>
        </Menu>
        <span className="dim" style={{ fontSize: 12 }} role="status">
          {state}
        </span>
        <span className="grow" />
        <Button size="small" onClick={() => setRound(round + 1)}>
          New session
        </Button>
      </div>
      <section className="card sheet" aria-label="Terminal">
        <Session key={`${container} ${round}`} object={object} container={container} onState={setState} />
      </section>
    </>
  )
}

function Session({
  object,
  container,
  onState,
}: {
  readonly object: KubeObject
  readonly container: string
  readonly onState: (state: string) => void
}) {
  const cluster = useCluster()
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const terminal = new Terminal({
      fontFamily: "'Cascadia Mono', 'JetBrains Mono', 'DejaVu Sans Mono', monospace",
      fontSize: 13,
      cursorBlink: true,
      scrollback: 5000,
      screenReaderMode: true,
      theme: { background: '#14161a', foreground: '#e6e8eb' },
    })
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    terminal.open(box.current!)
    fit.fit()
    const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', tty: 'true' })
    for (const word of SHELL) query.append('command', word)
    const { name, namespace } = object.metadata
    const socket = new WebSocket(
      socketUrl(cluster.key, `/api/v1/namespaces/${namespace}/pods/${name}/exec?${query.toString()}`),
      [...EXEC_PROTOCOLS],
    )
    socket.binaryType = 'arraybuffer'
    const resize = (): void => {
      fit.fit()
      if (socket.readyState === WebSocket.OPEN)
        socket.send(resizeFrame({ columns: terminal.cols, rows: terminal.rows }))
    }
    let end = ''
    socket.addEventListener('open', () => {
      onState('Connected')
      resize()
      terminal.focus()
    })
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') return void (end = refusal(data))
      const message = readFrame(new Uint8Array(data))
      if (message?.kind === 'output') terminal.write(message.data)
      else if (message?.kind === 'ended') end = message.message ?? 'The shell ended.'
    })
    socket.addEventListener('close', () => {
      onState(end === '' ? 'Disconnected' : end)
      terminal.options.disableStdin = true
    })
    const typed = terminal.onData(
      (text) => socket.readyState === WebSocket.OPEN && socket.send(frame(channels.stdin, text)),
    )
    const observer = new ResizeObserver(resize)
    observer.observe(box.current!)
    onState('Connecting')
    return () => {
      observer.disconnect()
      typed.dispose()
      socket.close()
      terminal.dispose()
    }
  }, [container, object.metadata.uid, cluster.key])
  return <div className="term" ref={box} />
}

function refusal(text: string): string {
  try {
    const { body } = JSON.parse(text) as { readonly body: string }
    try {
      return (JSON.parse(body) as { readonly message?: string }).message ?? body
    } catch {
      return body
    }
  } catch {
    return text
  }
}
