// Which namespaces one looks at: all, one or several. Who may not list them adds their own by name.

import { Button, Input, Popover, PopoverSurface, PopoverTrigger } from '@fluentui/react-components'
import { ChevronDownRegular, FolderRegular } from '@fluentui/react-icons'
import { useState } from 'react'
import { useCluster } from '../data/cluster.tsx'

export function NamespacePicker() {
  const { scope, setScope, known, namespaces, addNamespace } = useCluster()
  const [open, setOpen] = useState(false)
  const [text, setText] = useState('')
  const label = scope.length === 0 ? 'All namespaces' : scope.length === 1 ? scope[0]! : `${scope.length} namespaces`
  const matching = known.filter((name) => name.includes(text.trim()))
  const toggle = (name: string): void => {
    const next = scope.includes(name) ? scope.filter((each) => each !== name) : [...scope, name]
    setScope(next)
  }
  const only = (name: string): void => {
    setScope([name])
    setOpen(false)
    setText('')
  }
  const submit = (): void => {
    if (matching[0] !== undefined) only(matching[0])
    else if (namespaces === undefined && /^[a-z0-9-]+$/.test(text.trim())) {
      addNamespace(text.trim())
      setText('')
      setOpen(false)
    }
  }
  return (
    <Popover open={open} onOpenChange={(_, data) => setOpen(data.open)} trapFocus positioning="below-start">
      <PopoverTrigger disableButtonEnhancement>
        <Button appearance="subtle" size="small" icon={<FolderRegular />} aria-label={`Namespaces: ${label}`}>
          <span className="cut" style={{ maxWidth: 180 }}>
            {label}
          </span>
          <ChevronDownRegular style={{ marginLeft: 4 }} fontSize={12} />
        </Button>
      </PopoverTrigger>
      <PopoverSurface style={{ padding: 8, width: 280 }} aria-label="Namespaces">
        <Input
          size="small"
          style={{ width: '100%' }}
          placeholder={namespaces === undefined ? 'Add a namespace by name' : 'Find a namespace'}
          aria-label={namespaces === undefined ? 'Add a namespace by name' : 'Find a namespace'}
          value={text}
          onChange={(_, { value }) => setText(value)}
          onKeyDown={(event) => event.key === 'Enter' && submit()}
        />
        <div style={{ maxHeight: 320, overflow: 'auto', margin: '8px -4px 0' }}>
          {namespaces !== undefined && text === '' && (
            <Button
              appearance={scope.length === 0 ? 'secondary' : 'subtle'}
              size="small"
              style={{ width: '100%', justifyContent: 'flex-start' }}
              onClick={() => {
                setScope([])
                setOpen(false)
              }}
            >
              All namespaces
            </Button>
          )}
          {matching.map((name) => (
            <div className="row" key={name} style={{ gap: 0 }}>
              <input
                type="checkbox"
                aria-label={`Look at ${name} as well`}
                checked={scope.includes(name)}
                onChange={() => toggle(name)}
                style={{ margin: '0 4px 0 8px' }}
              />
              <Button
                appearance="subtle"
                size="small"
                className="grow"
                style={{ justifyContent: 'flex-start', fontWeight: 400 }}
                onClick={() => only(name)}
              >
                <span className="cut">{name}</span>
              </Button>
            </div>
          ))}
          {matching.length === 0 && (
            <p className="dim" style={{ margin: 8, fontSize: 12 }}>
              {namespaces === undefined ? 'Enter adds it.' : 'None of that name.'}
            </p>
          )}
        </div>
      </PopoverSurface>
    </Popover>
  )
}
