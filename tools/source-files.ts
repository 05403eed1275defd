// The repository's own TypeScript files and the imports in them, for the checks that read the code.

import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const repositoryRoot = fileURLToPath(new URL('..', import.meta.url))

export interface SourceFile {
  readonly relative: string
  readonly absolute: string
}

export function sourceFiles(): readonly SourceFile[] {
  const patterns = ['packages/*/src/**/*.ts', 'apps/*/src/**/*.{ts,tsx}', 'tools/**/*.ts', 'tests/**/*.ts']
  return globSync(patterns, { cwd: repositoryRoot, exclude: ['**/node_modules/**'] })
    .sort()
    .map((relative) => ({ relative, absolute: `${repositoryRoot}${relative}` }))
}

/** The module of every static and dynamic import and re-export, type-only ones included. */
export function importsOf(text: string): readonly string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g
  return Array.from(text.matchAll(pattern), (match) => (match[1] ?? match[2] ?? match[3])!)
}
