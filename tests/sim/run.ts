// `npm run sim -- SEED`: one run of the simulation, told step by step.

import { newFrontProxy } from '@aksel/apiserver/aggregation/front-proxy'
import { createAuthority, createServiceAccountKey } from '@aksel/runtime/pki'
import { testScope } from '@aksel/testing/test-scope'
import { simulate } from './simulate.ts'

const seed = Number(process.argv[2] ?? '1')
if (!Number.isInteger(seed) || seed < 1) {
  process.stderr.write('usage: npm run sim -- SEED (a whole number from 1)\n')
  process.exit(2)
}
using scope = testScope()
const authority = await createAuthority(scope, { commonName: 'ca', years: 10 })
const keys = {
  clientAuthority: authority.certificatePem,
  serviceAccountKey: await createServiceAccountKey(),
  frontProxy: await newFrontProxy(scope),
}
const { history, failures, promises } = await simulate({ seed, keys })
for (const line of history) process.stdout.write(`${line}\n`)
process.stdout.write(`${promises} writes were promised\n`)
for (const line of failures) process.stdout.write(`FAILED ${line}\n`)
process.exit(failures.length === 0 ? 0 : 1)
