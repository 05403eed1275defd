// The schema that holds for one version of a custom kind.

import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../types/apiextensions-v1.ts'

const openSchema: JSONSchemaProps = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

/** The schema of a version; one that says nothing keeps everything. */
export function schemaOf(
  { spec }: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): JSONSchemaProps {
  const schema = version.schema?.openAPIV3Schema
  if (schema === undefined) return openSchema
  return spec.preserveUnknownFields === true ? { ...schema, 'x-kubernetes-preserve-unknown-fields': true } : schema
}
