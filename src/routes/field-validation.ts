/** The parameter of every operation with a body that says what becomes of fields which the message does not have. */

export const fieldValidation = {
  type: "string",
  values: ["Strict", "Warn", "Ignore"],
  description:
    "What becomes of fields of the body that are not known, as in Kubernetes' API. `Strict` refuses the request, `Warn` leaves them out and names each in a `Warning` header, `Ignore` leaves them out in silence. Without it a body is taken strictly, unless it is one of crictl's files: with at least one name in snake_case and none in lowerCamelCase, for which `Warn` holds.",
} as const;
