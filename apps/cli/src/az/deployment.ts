// `az deployment`: templates deployed to a resource group or to the subscription.

import { Option, type Command } from 'commander'
import { ArmError } from '@aksel/base/errors'
import { addLeaf, required } from './command.ts'
import { defaultName, readParameters, readTemplate, type JsonObject } from './deployment-input.ts'
import { present, resourceGroupOf, type ArmResource } from './resources.ts'
import { confirm, follow, get, listAll, subscriptionPath, type CommonFlags, type Session } from './session.ts'
import { whatIfText, type WhatIfChange } from './what-if-text.ts'

interface ScopeFlags extends CommonFlags {
  readonly resourceGroup?: string
}

interface NameFlags extends ScopeFlags {
  readonly name: string
}

interface TemplateFlags extends ScopeFlags {
  readonly name?: string
  readonly location?: string
  readonly templateFile: string
  readonly parameters?: readonly string[]
  readonly mode?: string
  readonly wait?: boolean
  readonly confirmWithWhatIf?: boolean
  readonly whatIf?: boolean
  readonly prettyPrint?: boolean
  readonly resultFormat?: string
}

const VERSION = 'api-version=2022-09-01'

/** `group` or `sub`: whose flags the commands take. */
type Scope = 'group' | 'sub'

export function addDeployment(az: Command, session: Session): void {
  const deployment = az.command('deployment').description('Manage deployments of Azure Resource Manager templates.')
  addScope(deployment, session, 'group', 'Deployments to a resource group.')
  addScope(deployment, session, 'sub', 'Deployments to the subscription.')
  const operation = deployment.command('operation').description('Operations of deployments.')
  for (const scope of ['group', 'sub'] as const) addOperations(operation, session, scope)
}

const row = ({ name, properties }: ArmResource): JsonObject => ({
  Name: name,
  State: properties['provisioningState'],
  Timestamp: properties['timestamp'],
  Mode: properties['mode'],
})

function addScope(parent: Command, session: Session, scope: Scope, description: string): void {
  const group = parent.command(scope).description(description)
  const named = (command: Command): Command =>
    scoped(command, scope).addOption(required('-n, --name <name>', 'name of the deployment'))
  addTemplateCommands(group, session, scope)
  addLeaf<NameFlags>(group, session, 'show', {
    description: 'Show a deployment.',
    flags: named,
    row,
    run: async (_, flags) => shown(await get(session, pathOf(session, flags, flags.name))),
  })
  addLeaf<ScopeFlags>(group, session, 'list', {
    description: 'List deployments.',
    flags: (command) => scoped(command, scope),
    row,
    run: async (_, flags) => (await listAll<ArmResource>(session, pathOf(session, flags, ''))).map(shown),
  })
  addLeaf<NameFlags>(group, session, 'delete', {
    description: 'Forget a deployment; what it deployed stays.',
    flags: named,
    run: async (_, flags) =>
      void (await session.arm().send({ method: 'DELETE', path: pathOf(session, flags, flags.name) })),
  })
  addLeaf<NameFlags>(group, session, 'cancel', {
    description: 'Cancel a deployment that runs.',
    flags: named,
    run: async (_, flags) =>
      void (await session.arm().send({ method: 'POST', path: pathOf(session, flags, `${flags.name}/cancel`) })),
  })
  addLeaf<NameFlags>(group, session, 'export', {
    description: 'Show the template that was deployed.',
    flags: named,
    run: async (_, flags) => {
      const path = pathOf(session, flags, `${flags.name}/exportTemplate`)
      return (await session.arm().send<{ readonly template: unknown }>({ method: 'POST', path })).body.template
    },
  })
}

function addTemplateCommands(group: Command, session: Session, scope: Scope): void {
  addLeaf<TemplateFlags>(group, session, 'create', {
    description: 'Start a deployment.',
    flags: (command) =>
      templated(command, scope)
        .option('--no-wait', 'do not wait for the end')
        .option('-w, --what-if', 'tell what would change, and do nothing')
        .option('-c, --confirm-with-what-if', 'tell what would change, and ask'),
    row,
    run: (_, flags) => create(session, flags, scope),
  })
  addLeaf<TemplateFlags>(group, session, 'validate', {
    description: 'Validate whether a template is valid.',
    flags: (command) => templated(command, scope),
    row,
    run: async (_, flags) => {
      const { name, body } = await requestOf(session, flags, scope)
      const path = pathOf(session, flags, `${name}/validate`)
      return shown((await session.arm().send<ArmResource>({ method: 'POST', path, body })).body)
    },
  })
  addLeaf<TemplateFlags>(group, session, 'what-if', {
    description: 'Tell what a deployment would change.',
    flags: (command) =>
      templated(command, scope)
        .option('--no-pretty-print', 'print JSON')
        .addOption(
          new Option('-r, --result-format <format>', 'how much of each resource is told')
            .choices(['FullResourcePayloads', 'ResourceIdOnly'])
            .default('FullResourcePayloads'),
        ),
    run: async (_, flags) => {
      const result = await whatIf(session, flags, scope)
      if (flags.prettyPrint === false) return result
      session.terminal.out(textOf(session, flags, result))
      return undefined
    },
  })
}

function scoped(command: Command, scope: Scope): Command {
  return scope === 'group'
    ? command.addOption(required('-g, --resource-group <name>', 'name of the resource group'))
    : command
}

function templated(command: Command, scope: Scope): Command {
  const all = scoped(command, scope)
    .addOption(required('-f, --template-file <path>', 'a template (JSON) or a Bicep file'))
    .option('-n, --name <name>', "name of the deployment; the template file's without its ending if absent")
    .option(
      '-p, --parameters <parameters...>',
      'name=value, a parameter file, @file or JSON',
      (word, before: string[] | undefined) => [...(before ?? []), word],
    )
  if (scope === 'sub') return all.addOption(required('-l, --location <location>', 'where the deployment is kept'))
  return all.addOption(
    new Option('--mode <mode>', 'Complete deletes what the template does not name')
      .choices(['Incremental', 'Complete'])
      .default('Incremental'),
  )
}

interface Wanted {
  readonly name: string
  readonly body: { readonly location?: string; readonly properties: JsonObject }
}

async function requestOf(session: Session, flags: TemplateFlags, scope: Scope): Promise<Wanted> {
  const template = await readTemplate(flags.templateFile, session.options.environment)
  const parameters = readParameters(flags.parameters ?? [], template)
  const properties = { mode: flags.mode ?? 'Incremental', template, parameters }
  const name = flags.name ?? defaultName(flags.templateFile)
  const location = scope === 'sub' ? flags.location : undefined
  return { name, body: { ...(location === undefined ? {} : { location }), properties } }
}

function pathOf(session: Session, flags: ScopeFlags, below: string): string {
  const { resourceGroup } = flags
  const place = resourceGroup === undefined ? '' : `/resourcegroups/${encodeURIComponent(resourceGroup)}`
  const end = below === '' ? '' : `/${below.split('/').map(encodeURIComponent).join('/')}`
  return `${subscriptionPath(session, flags)}${place}/providers/Microsoft.Resources/deployments${end}?${VERSION}`
}

async function create(session: Session, flags: TemplateFlags, scope: Scope): Promise<unknown> {
  if (flags.whatIf === true || flags.confirmWithWhatIf === true) {
    session.terminal.out(textOf(session, flags, await whatIf(session, flags, scope)))
    if (flags.whatIf === true) return undefined
    await confirm(session, undefined, 'Are you sure you want to execute the deployment?')
  }
  const { name, body } = await requestOf(session, flags, scope)
  const path = pathOf(session, flags, name)
  const started = await session.arm().send<ArmResource>({ method: 'PUT', path, body })
  if (flags.wait === false) return shown(started.body)
  try {
    await follow(session, started, flags)
  } catch (error) {
    throw error instanceof ArmError ? await withDetails(session, path, error) : error
  }
  return shown(await get(session, path))
}

/** The operation tells that it failed; the deployment tells of what. */
async function withDetails(session: Session, path: string, error: ArmError): Promise<ArmError> {
  const { properties } = await get<ArmResource>(session, path)
  const { details, target } = (properties['error'] ?? {}) as Pick<ArmError, 'details' | 'target'>
  return new ArmError(error.status, error.code, error.message, present({ details, target }))
}

interface WhatIfResult {
  readonly status: string
  readonly properties: { readonly changes: readonly WhatIfChange[] }
}

async function whatIf(session: Session, flags: TemplateFlags, scope: Scope): Promise<WhatIfResult> {
  const { name, body } = await requestOf(session, flags, scope)
  const properties = {
    ...body.properties,
    whatIfSettings: { resultFormat: flags.resultFormat ?? 'FullResourcePayloads' },
  }
  const path = pathOf(session, flags, `${name}/whatIf`)
  return (await session.arm().send<WhatIfResult>({ method: 'POST', path, body: { ...body, properties } })).body
}

function textOf(session: Session, flags: TemplateFlags, { properties }: WhatIfResult): string {
  const place = flags.resourceGroup === undefined ? '' : `/resourceGroups/${flags.resourceGroup}`
  return whatIfText(`${subscriptionPath(session, flags)}${place}`, properties.changes)
}

/** As az shows deployments: with their group, properties where they are. */
function shown(resource: ArmResource): ArmResource {
  const group = resourceGroupOf(resource.id)
  return group === '' ? resource : ({ ...resource, resourceGroup: group } as ArmResource)
}

function addOperations(parent: Command, session: Session, scope: Scope): void {
  addLeaf<NameFlags>(parent.command(scope), session, 'list', {
    description: 'List the operations of a deployment.',
    flags: (command) => scoped(command, scope).addOption(required('-n, --name <name>', 'name of the deployment')),
    row: (one: { readonly properties: JsonObject }) => {
      const target = (one.properties['targetResource'] ?? {}) as JsonObject
      return {
        State: one.properties['provisioningState'],
        Operation: one.properties['provisioningOperation'],
        Type: target['resourceType'],
        Resource: target['resourceName'],
      }
    },
    run: (_, flags) => listAll(session, pathOf(session, flags, `${flags.name}/operations`)),
  })
}
