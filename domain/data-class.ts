/** What the product will hold, from the harmless to the delicate. A request that says nothing is `restricted`. */
export const DATA_CLASSES = ['public', 'internal', 'personal', 'restricted'] as const;
export type DataClass = (typeof DATA_CLASSES)[number];

/** The class that the policy judges by. */
export function dataClassOf(request: { readonly data?: DataClass | undefined }): DataClass {
  return request.data ?? 'restricted';
}
