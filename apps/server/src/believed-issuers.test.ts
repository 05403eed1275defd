// Whose issuers are believed in a cluster: those of the file for all clusters, and its own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthenticationConfiguration, JwtConfiguration } from '@aksel/api/authentication-configuration'
import { logTo, type LogLine } from '@aksel/base/log'
import { BelievedIssuers } from './believed-issuers.ts'

const issuer = (url: string): JwtConfiguration => ({
  issuer: { url, audiences: ['a'] },
  claimMappings: { username: { claim: 'sub', prefix: '' } },
})

interface Rig {
  readonly issuers: BelievedIssuers
  readonly configured: readonly string[]
  readonly lines: readonly LogLine[]
}

/** An API server that takes no issuer twice. */
function rig(file: AuthenticationConfiguration, cluster: AuthenticationConfiguration): Rig {
  const configured: string[] = []
  const lines: LogLine[] = []
  const configure = ({ jwt = [], anonymous }: AuthenticationConfiguration): void => {
    const urls = jwt.map((one) => one.issuer.url)
    if (new Set(urls).size < urls.length) throw new Error('Duplicate value')
    configured.push(`${urls.join(' ')}${anonymous === undefined ? '' : ` anonymous ${anonymous.enabled}`}`)
  }
  const issuers = new BelievedIssuers({ log: logTo((line) => void lines.push(line)), file, cluster, configure })
  return { issuers, configured, lines }
}

test('those of the file and of the cluster are believed side by side, and each changes without the other', () => {
  const { issuers, configured } = rig({ jwt: [issuer('f')], anonymous: { enabled: false } }, { jwt: [issuer('c')] })
  issuers.clusterChanged({ jwt: [issuer('d')], anonymous: { enabled: true } })
  issuers.fileChanged({ jwt: [issuer('g')] })
  issuers.fileChanged({ jwt: [issuer('g')] })
  assert.deepEqual(configured, ['f c anonymous false', 'f d anonymous true', 'g d anonymous true'])
})

test('what does not go together changes nothing: the file is told in the log, the cluster by an error', () => {
  const { issuers, configured, lines } = rig({ jwt: [issuer('a')] }, { jwt: [issuer('a')] })
  assert.deepEqual(configured, ['a'])
  issuers.fileChanged({ jwt: [issuer('a')] })
  issuers.fileChanged({ jwt: [issuer('b')] })
  assert.throws(() => issuers.clusterChanged({ jwt: [issuer('b')] }), /Duplicate/)
  issuers.clusterChanged({})
  assert.deepEqual(configured, ['a', 'b a', 'b'])
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['error', 'error'],
  )
})
