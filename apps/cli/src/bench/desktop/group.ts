// Group `desktop`: a list of a hundred thousand live pods in a real browser (U1), and what the first page weighs (U3).

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { ensureBuild } from '@aksel/desktop/built-page'
import { createDesktop } from '@aksel/desktop/desktop'
import type { CDPSession, Page } from 'puppeteer-core'
import { CommandError } from '../../command-error.ts'
import { fillPods, podsPath } from '../api/pods.ts'
import { base64, requests, startRig, watched, type Rig } from '../api/rig.ts'
import type { BenchRequest } from '../group.ts'
import { numberMark } from '../load/template.ts'
import { rowOf, type BenchRow, type Unit } from '../row.ts'
import { filterFor, observeTasks, openPods, scriptBytes, sortBy, untilListed } from './page-script.ts'

const CHROMIUM = '/usr/bin/chromium'
const CHANGES_PER_SECOND = 500
const FIRST_PAGE_MAX_BYTES = 250 * 1024

/** What the issue promises; a row is the measured value beside it. */
const promised = { firstRowsS: 0.5, filterS: 0.05, taskS: 0.05, heapBytes: 150 * 1024 * 1024 } as const

export async function desktopGroup(scope: Scope, request: BenchRequest): Promise<readonly BenchRow[]> {
  if (!existsSync(CHROMIUM))
    throw new CommandError('The group "desktop" needs a browser: apt-get install --no-install-recommends chromium')
  const pods = request.full ? 100_000 : request.tenth ? 10_000 : 2_000
  const changeSeconds = request.full ? 20 : 5
  const assets = await ensureBuild(request.options.repositoryRoot, request.say)
  await using rig = await startRig(scope)
  request.say(`desktop: ${pods} pods are made`)
  await fillPods(rig, rig.load, { from: 0, count: pods })
  await using served = await serveDesktop(scope, rig, assets)
  await using browser = await openBrowser()
  const { page } = browser
  await page.evaluateOnNewDocument(observeTasks)
  await page.goto(served.url)
  await page.waitForSelector('table a')
  const firstPageBytes = Number(await page.evaluate(scriptBytes))
  await page.click('table a')
  await page.waitForSelector('nav.side a')
  await settled(page)
  request.say('desktop: the list is opened')
  const firstMs = Number(await page.evaluate(openPods))
  const listedMs = Number(await page.evaluate(untilListed(pods)))
  request.say('desktop: it is filtered and sorted')
  const reactions = await react(page, pods)
  request.say(`desktop: ${CHANGES_PER_SECOND} changes a second for ${changeSeconds} s`)
  await page.evaluate('window.longTasks.length = 0')
  const changing = watched(rig, () => change(rig, pods, changeSeconds))
  // What one does while all this goes on is part of the promise.
  const during = await react(page, pods)
  const changed = await changing
  const longestMs = Number(await page.evaluate('Math.max(0, ...window.longTasks)'))
  const heapBytes = await heapOf(page)
  const row = (
    name: string,
    unit: Unit,
    runs: readonly number[],
    of: string,
    promise: number,
    details: object = {},
  ): BenchRow =>
    rowOf({
      name,
      unit,
      runs,
      probe: { of, before: promise, after: promise },
      stages: rig.stages,
      details: { pods, ...details },
    })
  return [
    row(`U1.first first rows of ${pods} live pods`, 's', [firstMs / 1000], 'what is promised', promised.firstRowsS, {
      wholeListSeconds: listedMs / 1000,
    }),
    row(
      `U1.filter filter and sort, p95 of ${reactions.length}`,
      's',
      [p95(reactions) / 1000],
      'what is promised',
      promised.filterS,
      { duringChangesSeconds: p95(during) / 1000, allMs: reactions.map(Math.round) },
    ),
    row(
      `U1.task longest task at ${CHANGES_PER_SECOND} changes a second`,
      's',
      [longestMs / 1000],
      'what is promised',
      promised.taskS,
      { changesPerSecond: changed.result / changeSeconds, note: 'tasks below 50 ms are told as 0' },
    ),
    row(
      'U1.heap heap of page and worker',
      'bytes',
      [heapBytes.page + heapBytes.worker],
      'what is promised',
      promised.heapBytes,
      heapBytes,
    ),
    row(
      'U3 compressed JavaScript of the first page',
      'bytes',
      [firstPageBytes],
      'what is promised',
      FIRST_PAGE_MAX_BYTES,
    ),
  ]
}

/** Each filter and sort is checked by what must stand there afterwards. */
async function react(page: Page, pods: number): Promise<readonly number[]> {
  const times: number[] = []
  const first = `web-${'0'.repeat(9)}`
  for (let round = 0; round < 5; round++) {
    for (const digit of ['1', '2', '3', '4']) {
      const text = `${digit}${round}`
      times.push(Number(await page.evaluate(filterFor(text, countOf(text, pods), pods))))
    }
    times.push(Number(await page.evaluate(filterFor('', pods, pods))))
    times.push(Number(await page.evaluate(sortBy('Name', first))))
    times.push(Number(await page.evaluate(sortBy('Name', `web-${String(pods - 1).padStart(9, '0')}`))))
    times.push(Number(await page.evaluate(sortBy('Name', first))))
  }
  return times
}

function countOf(text: string, pods: number): number {
  let count = 0
  for (let at = 0; at < pods; at++) if (String(at).padStart(9, '0').includes(text)) count += 1
  return count
}

/** Returns how many changes were made. */
async function change(rig: Rig, pods: number, seconds: number): Promise<number> {
  const { answered } = await requests(rig.load, {
    ...rig.target,
    headers: { ...rig.target.headers, 'content-type': 'application/merge-patch+json' },
    protocol: 'h2',
    connections: 2,
    streams: 16,
    method: 'PATCH',
    path: `${podsPath(rig)}/web-${numberMark}/status`,
    bodyBase64: base64({ status: { phase: 'Running', message: `seen ${numberMark}` } }),
    firstNumber: 0,
    numbers: pods,
    perSecond: CHANGES_PER_SECOND,
    requestsMax: CHANGES_PER_SECOND * seconds,
  })
  return answered
}

function p95(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.95) - 1)]!
}

/** After a collection: what is held, not what was dropped. */
async function heapOf(page: Page): Promise<{ readonly page: number; readonly worker: number }> {
  const used = async (session: CDPSession): Promise<number> => {
    await session.send('HeapProfiler.collectGarbage')
    return (await session.send('Runtime.getHeapUsage')).usedSize
  }
  const workers = await Promise.all(page.workers().map((worker) => used(worker.client)))
  const session = await page.createCDPSession()
  return { page: await used(session), worker: workers.reduce((sum, bytes) => sum + bytes, 0) }
}

async function settled(page: Page): Promise<void> {
  await page.waitForNetworkIdle({ idleTime: 500, concurrency: 2 })
}

async function serveDesktop(
  scope: Scope,
  rig: Rig,
  assets: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const { server: clusterUrl, caPem, serverName } = rig.access
  const connection = {
    name: 'bench',
    server: clusterUrl,
    caPem,
    ...(serverName === undefined ? {} : { serverName }),
    namespace: rig.user.namespace,
    credential: () => Promise.resolve({ token: rig.user.token }),
  }
  const desktop = createDesktop(scope, {
    scheme: 'http',
    assets: () => assets,
    kubeconfig: { current: 'bench', connections: [connection] },
  })
  const server = createServer((incoming, response) => desktop.handle(incoming, response))
  server.on('upgrade', (incoming, socket, head) => desktop.upgrade(incoming, socket, head))
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/desktop/#code=${desktop.issueCode()}`,
    async [Symbol.asyncDispose]() {
      desktop[Symbol.dispose]()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function openBrowser(): Promise<AsyncDisposable & { readonly page: Page }> {
  const { default: puppeteer } = await import('puppeteer-core')
  const profile = await mkdtemp(join(tmpdir(), 'aksel-bench-browser-'))
  const browser = await puppeteer.launch({
    executablePath: CHROMIUM,
    userDataDir: profile,
    protocolTimeout: 600_000,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  })
  const page = await browser.newPage()
  await page.setViewport({ width: 1440, height: 900 })
  return {
    page,
    async [Symbol.asyncDispose]() {
      await browser.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
