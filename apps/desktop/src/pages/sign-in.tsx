// The door: the cluster's own identities let one in. What is typed here goes to the page's own server, and is not kept in the browser.

import { Button, Field, Input, MessageBar, MessageBarBody, Tab, TabList, Textarea } from '@fluentui/react-components'
import { DocumentRegular } from '@fluentui/react-icons'
import { useRef, useState, type FormEvent } from 'react'
import mark from '../mark.svg'
import { signIn, type Session, type SignInForm } from '../data/session.ts'

type Way = SignInForm['kind'] & ('client' | 'token' | 'kubeconfig')

const hints: Readonly<Record<Way, string>> = {
  kubeconfig: 'Every cluster in the file that accepts its credentials is opened.',
  token: 'For one cluster: a service account’s token, or one of an identity provider that the cluster trusts.',
  client: 'For the server and all its clusters: the client that “aksel up” made, or another of this tenant.',
}

export function SignIn({
  mode,
  onSignedIn,
  expired,
}: {
  readonly mode: Session['mode']
  readonly onSignedIn: (session: Session) => void
  readonly expired: boolean
}) {
  return (
    <div className="door">
      <main className="card">
        <img src={mark} width={36} height={36} alt="" />
        <h1>Sign in to Aksel</h1>
        {mode === 'kubeconfig' ? (
          <p className="dim">The link that “aksel desktop” printed signs you in, once. Run it again for a new one.</p>
        ) : (
          <>
            <p className="dim" style={{ margin: '0 0 20px', fontSize: 13 }}>
              Or run <span className="mono">./aksel desktop</span> on the server: it opens this page signed in.
            </p>
            {expired && (
              <MessageBar intent="warning" style={{ marginBottom: 16 }}>
                <MessageBarBody>That link was used already or is too old.</MessageBarBody>
              </MessageBar>
            )}
            <SignInForms onSignedIn={onSignedIn} />
          </>
        )}
      </main>
    </div>
  )
}

export function SignInForms({
  onSignedIn,
  ways = ['kubeconfig', 'token', 'client'],
}: {
  readonly onSignedIn: (session: Session) => void
  readonly ways?: readonly Way[]
}) {
  const [way, setWay] = useState<Way>(ways[0]!)
  const [fields, setFields] = useState({ clientId: '', clientSecret: '', cluster: '', token: '', text: '' })
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const set =
    (name: keyof typeof fields) =>
    (_: unknown, { value }: { readonly value: string }) =>
      setFields({ ...fields, [name]: value })
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setError('')
    try {
      onSignedIn(await signIn(formOf(way, fields)))
    } catch (failure) {
      setError((failure as Error).message)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form className="form" onSubmit={(event) => void submit(event)}>
      <TabList
        size="small"
        selectedValue={way}
        onTabSelect={(_, { value }) => setWay(value as Way)}
        style={{ margin: '0 -8px' }}
      >
        {ways.includes('kubeconfig') && <Tab value="kubeconfig">Kubeconfig</Tab>}
        {ways.includes('token') && <Tab value="token">Token</Tab>}
        {ways.includes('client') && <Tab value="client">Client secret</Tab>}
      </TabList>
      <p className="dim" style={{ margin: 0, fontSize: 12, lineHeight: '18px' }}>
        {hints[way]}
      </p>
      {way === 'kubeconfig' && (
        <>
          <Field label="Kubeconfig" required>
            <Textarea
              rows={7}
              resize="vertical"
              textarea={{ className: 'mono', spellCheck: false }}
              placeholder="Paste it, or choose a file"
              value={fields.text}
              onChange={set('text')}
            />
          </Field>
          <FileButton onText={(text) => setFields((before) => ({ ...before, text }))} />
        </>
      )}
      {way === 'token' && (
        <>
          <Field label="Cluster" required>
            <Input
              placeholder="resource-group/name"
              autoComplete="off"
              value={fields.cluster}
              onChange={set('cluster')}
            />
          </Field>
          <Field label="Token" required>
            <Input type="password" autoComplete="off" value={fields.token} onChange={set('token')} />
          </Field>
        </>
      )}
      {way === 'client' && (
        <>
          <Field label="Client ID" required>
            <Input autoComplete="off" value={fields.clientId} onChange={set('clientId')} />
          </Field>
          <Field label="Client secret" required>
            <Input type="password" autoComplete="off" value={fields.clientSecret} onChange={set('clientSecret')} />
          </Field>
        </>
      )}
      {error !== '' && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody>{error}</MessageBarBody>
        </MessageBar>
      )}
      <Button appearance="primary" type="submit" disabled={busy}>
        {busy ? 'Signing in' : 'Sign in'}
      </Button>
    </form>
  )
}

/** The browser's own control looks like none of ours. */
function FileButton({ onText }: { readonly onText: (text: string) => void }) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        aria-label="Kubeconfig file"
        onChange={({ currentTarget }) => void currentTarget.files?.[0]?.text().then(onText)}
      />
      <Button icon={<DocumentRegular />} onClick={() => input.current?.click()}>
        Choose a file
      </Button>
    </>
  )
}

function formOf(
  way: Way,
  fields: Readonly<Record<'clientId' | 'clientSecret' | 'cluster' | 'token' | 'text', string>>,
): SignInForm {
  switch (way) {
    case 'client':
      return { kind: 'client', clientId: fields.clientId, clientSecret: fields.clientSecret }
    case 'token':
      return { kind: 'token', cluster: fields.cluster, token: fields.token }
    case 'kubeconfig':
      return { kind: 'kubeconfig', text: fields.text }
    default:
      return way satisfies never
  }
}
