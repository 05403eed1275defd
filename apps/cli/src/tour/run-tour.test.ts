// The tour shows what it says, stops where something is not as it should be, and tells what it passes over.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chapters } from './chapters.ts'
import { runTour, type Outcome, type TourSettings } from './run-tour.ts'
import { wordsOfStep, type Chapter, type Step } from './step.ts'

function chapter(...steps: readonly Step[]): Chapter {
  return { name: 'one', title: 'One', say: 'About one.', steps }
}

interface Told extends TourSettings {
  readonly printed: string[]
  readonly ran: (readonly string[])[]
}

function settings(outcomes: Readonly<Record<string, Outcome>>, simulated = false): Told {
  const printed: string[] = []
  const ran: (readonly string[])[] = []
  return {
    printed,
    ran,
    simulated,
    run: (args) => {
      ran.push(args)
      return Promise.resolve(outcomes[args.join(' ')] ?? { code: 127, output: 'unknown' })
    },
    print: (text) => void printed.push(text),
    pause: () => Promise.resolve(),
  }
}

const get: Step = { say: 'Look.', run: 'kubectl get nodes', shows: /Ready/ }

void test('a step is said, shown, run and checked', async () => {
  const told = settings({ 'kubectl get nodes': { code: 0, output: 'node-1 Ready\n' } })
  const results = await runTour([chapter(get)], told)
  assert.deepEqual(results, [{ chapter: 'one', command: './aksel kubectl get nodes', result: 'shown' }])
  assert.match(told.printed.join(''), /Look\.\n\n {2}\$ \.\/aksel kubectl get nodes\n {2}node-1 Ready\n/)
})

void test('what is not to be seen, and a wrong exit code, end the tour', async () => {
  for (const outcome of [
    { code: 0, output: 'nothing' },
    { code: 1, output: 'Ready' },
  ]) {
    const told = settings({ 'kubectl get nodes': outcome })
    const results = await runTour([chapter(get, get)], told)
    assert.deepEqual(
      results.map(({ result }) => result),
      ['failed'],
    )
    assert.equal(told.ran.length, 1)
  }
})

void test('a step that is to fail is shown where it fails, and not where it goes well', async () => {
  const refused: Step = { ...get, fails: true, shows: /no/ }
  const one = await runTour([chapter(refused)], settings({ 'kubectl get nodes': { code: 1, output: 'no' } }))
  assert.equal(one[0]?.result, 'shown')
  const two = await runTour([chapter(refused)], settings({ 'kubectl get nodes': { code: 0, output: 'no' } }))
  assert.equal(two[0]?.result, 'failed')
})

void test('what needs containers is passed over, aloud, where there are none', async () => {
  const told = settings({}, true)
  const results = await runTour([chapter({ ...get, needsContainers: true })], told)
  assert.equal(results[0]?.result, 'passed over')
  assert.equal(told.ran.length, 0)
  assert.match(told.printed.join(''), /passed over: nodes are simulated/)
})

void test('words are held together by quotes, as a shell does', () => {
  assert.deepEqual(wordsOfStep({ run: "exec x -- sh -c 'a b' --for=jsonpath='{.a}'=B" }), [
    'exec',
    'x',
    '--',
    'sh',
    '-c',
    'a b',
    '--for=jsonpath={.a}=B',
  ])
})

void test('every chapter has a name of its own, and every step something to see', () => {
  assert.equal(new Set(chapters.map(({ name }) => name)).size, chapters.length)
  for (const { steps } of chapters)
    for (const { run, shows } of steps) assert.ok(run !== '' && shows.source !== '', run)
})
