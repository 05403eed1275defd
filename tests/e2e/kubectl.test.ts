// kubectl and Helm against a simulated cluster: command by command what people see, as upstream's servers would have it.

import { after, before, suite, test } from 'node:test'
import { Aksel } from './aksel.ts'
import { assertLeaksAreFound, plantSecrets } from './plant-secrets.ts'
import { Shell } from './shell.ts'

const stories = [
  'kubectl',
  'apply',
  'helm',
  'helm-chart',
  'workloads',
  'kinds',
  'custom',
  'explain',
  'chores',
  'rbac',
  'admission',
  'describe',
  'three-kinds',
  'cluster',
] as const

void suite('transcripts on a simulated cluster', () => {
  let aksel: Aksel
  let shell: Shell

  before(async () => {
    aksel = await Aksel.inNewFolder()
    await aksel.ok(['up', '--simulated', '--nodes', '2'])
    shell = await Shell.open(aksel)
  })
  after(async () => {
    await aksel[Symbol.asyncDispose]()
  })

  for (const story of stories) {
    void test(`${story} prints what its transcript says`, { timeout: 240_000 }, () => shell.replay(story))
  }

  void test('secrets of every kind are planted, and a leak would be found', { timeout: 240_000 }, async () => {
    await plantSecrets(aksel, { runs: false })
    await assertLeaksAreFound(aksel, { runs: false })
  })
})
