// Holds our table of the Pod Security standards' published pods against a copy of what is published, and prints the digest that
// the test of the standards expects: `node compare-published.ts TESTDATA MINOR`, where TESTDATA has `baseline/v1.N/pass`.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { digestOf, publishedCases, type PublishedCase } from './published-cases.ts'
import { parse } from 'yaml'

type Case = Omit<PublishedCase, 'words'>

/** The pods of a folder, of the versions up to this minor. */
export function readPublished(folder: string, newestMinor: number): readonly Case[] {
  return (['baseline', 'restricted'] as const).flatMap((level) =>
    range(newestMinor).flatMap((minor) =>
      (['pass', 'fail'] as const).flatMap((verdict) => {
        const files = join(folder, level, `v1.${minor}`, verdict)
        return readdirSync(files).map((file) => ({
          level,
          minor,
          verdict,
          name: file.replace(/\.yaml$/, ''),
          pod: parse(readFileSync(join(files, file), 'utf8')) as Case['pod'],
        }))
      }),
    ),
  )
}

/** Cases that stand on one side alone, or whose pods are not the same. */
export function differences(published: readonly Case[], ours: readonly Case[]): readonly string[] {
  const found = [byPlace(published), byPlace(ours)] as const
  return [...new Set(found.flatMap((side) => [...side.keys()]))].filter((place) => {
    const [theirs, own] = [found[0].get(place), found[1].get(place)]
    return theirs === undefined || own === undefined || digestOf([theirs]) !== digestOf([own])
  })
}

function byPlace(cases: readonly Case[]): ReadonlyMap<string, Case> {
  return new Map(cases.map((one) => [`${one.level}/v1.${one.minor}/${one.verdict}/${one.name}`, one]))
}

export function range(newestMinor: number): readonly number[] {
  return Array.from({ length: newestMinor + 1 }, (_, minor) => minor)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, newest] = process.argv.slice(2)
  if (folder === undefined || newest === undefined) throw new Error('usage: compare-published.ts TESTDATA MINOR')
  const published = readPublished(folder, Number(newest))
  const ours = range(Number(newest)).flatMap(publishedCases)
  const wrong = differences(published, ours)
  for (const place of wrong) process.stdout.write(`${place}\n`)
  process.stdout.write(
    `${published.length} published, ${ours.length} ours, ${wrong.length} differ\n${digestOf(published)}\n`,
  )
  process.exitCode = wrong.length === 0 ? 0 : 1
}
