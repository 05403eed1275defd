// The whole desktop: its colours, who is signed in, and which page is shown.

import { FluentProvider, webDarkTheme, webLightTheme, type Theme } from '@fluentui/react-components'
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react'
import { signedOut } from './data/api.ts'
import { recall, remember } from './data/memory.ts'
import { readSession, signIn, takeCode, type Session } from './data/session.ts'
import { Frame } from './parts/frame.tsx'
import { Failure, Loading } from './parts/states.tsx'

const SignIn = lazy(async () => ({ default: (await import('./pages/sign-in.tsx')).SignIn }))

export type ThemeChoice = 'system' | 'light' | 'dark'

const fonts = { fontFamilyBase: "'Inter Variable', 'Segoe UI', system-ui, sans-serif" }
const light: Theme = { ...webLightTheme, ...fonts }
const dark: Theme = {
  ...webDarkTheme,
  ...fonts,
  colorNeutralBackground1: '#1b1d21',
  colorNeutralBackground1Hover: '#24272c',
  colorNeutralBackground2: '#141619',
  colorNeutralBackground3: '#24272c',
  colorNeutralBackground4: '#2b2f35',
  colorNeutralStroke2: '#2e3238',
  colorNeutralStroke3: '#26292e',
}

const darkQuery = matchMedia('(prefers-color-scheme: dark)')

function useSystemDark(): boolean {
  return useSyncExternalStore(
    (watcher) => {
      darkQuery.addEventListener('change', watcher)
      return () => darkQuery.removeEventListener('change', watcher)
    },
    () => darkQuery.matches,
  )
}

/** Not of the class: dialogs, menus and tooltips have that as well, and one as high as the window lies over it and takes every press. */
const page = { height: '100%', background: 'var(--colorNeutralBackground2)' } as const

export function App() {
  const [choice, setChoice] = useState<ThemeChoice>(() => recall('theme') ?? 'system')
  const systemDark = useSystemDark()
  const isDark = choice === 'dark' || (choice === 'system' && systemDark)
  useEffect(() => {
    document.documentElement.style.colorScheme = isDark ? 'dark' : 'light'
  }, [isDark])
  const choose = (next: ThemeChoice): void => {
    remember('theme', next)
    setChoice(next)
  }
  return (
    <FluentProvider theme={isDark ? dark : light} className="app" style={page}>
      <SessionGate theme={{ choice, isDark, choose }} />
    </FluentProvider>
  )
}

export interface ThemeState {
  readonly choice: ThemeChoice
  readonly isDark: boolean
  readonly choose: (choice: ThemeChoice) => void
}

/** Taken once, before anything is drawn: a second reading would find it used. */
const code = takeCode()
const opened: Promise<Session> =
  code === undefined ? readSession() : signIn({ kind: 'code', code }).catch(() => readSession())

function SessionGate({ theme }: { readonly theme: ThemeState }) {
  const [session, setSession] = useState<Session | undefined>()
  const [error, setError] = useState<unknown>()
  useEffect(() => {
    opened.then(setSession, setError)
    const onSignedOut = (): void => setSession((before) => ({ signedIn: false, mode: before?.mode ?? 'server' }))
    signedOut.addEventListener('signed-out', onSignedOut)
    return () => signedOut.removeEventListener('signed-out', onSignedOut)
  }, [])
  if (error !== undefined) return <Failure error={error} again={() => location.reload()} />
  if (session === undefined) return <Loading label="Opening" />
  if (!session.signedIn)
    return (
      <Suspense fallback={<Loading label="Opening" />}>
        <SignIn mode={session.mode} onSignedIn={setSession} expired={code !== undefined} />
      </Suspense>
    )
  return <Frame session={session} onSession={setSession} theme={theme} />
}
