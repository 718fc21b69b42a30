/** The comments of a proto file by declaration. */
import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
} from "@bufbuild/protobuf";

type Commented = DescMessage | DescField | DescEnum | DescEnumValue | DescMethod;

/** Returns the leading comment of a declaration, else the trailing one, without slashes; empty if there is none. */
export type Comments = (descriptor: Commented) => string;

/** Reads the comments from the file's source info. */
export function readComments(file: DescFile): Comments {
  const byPath = new Map<string, string>();
  for (const location of file.proto.sourceCodeInfo?.location ?? []) {
    const comment = location.leadingComments || location.trailingComments;
    if (comment) byPath.set(location.path.join(), clean(comment));
  }
  return (descriptor) => byPath.get(pathOf(descriptor).join()) ?? "";
}

/** The file that has the declaration. */
export function fileOf(descriptor: Commented): DescFile {
  switch (descriptor.kind) {
    case "field":
    case "enum_value":
    case "rpc":
      return descriptor.parent.file;
    default:
      return descriptor.file;
  }
}

function clean(comment: string): string {
  const lines = comment.split("\n").map((line) => line.replace(/^ /, "").trimEnd());
  return lines.join("\n").trim();
}

/** Field numbers in descriptor.proto. They form the path of a declaration in its FileDescriptorProto. */
const IN_FILE = { message: 4, enum: 5, service: 6 };
const IN_MESSAGE = { field: 2, enum: 4 };
const IN_ENUM = { value: 2 };
const IN_SERVICE = { method: 2 };

function pathOf(descriptor: Commented): number[] {
  switch (descriptor.kind) {
    case "message":
      return [IN_FILE.message, descriptor.file.messages.indexOf(descriptor)];
    case "field":
      return [...pathOf(descriptor.parent), IN_MESSAGE.field, descriptor.parent.fields.indexOf(descriptor)];
    case "enum":
      return descriptor.parent === undefined
        ? [IN_FILE.enum, descriptor.file.enums.indexOf(descriptor)]
        : [...pathOf(descriptor.parent), IN_MESSAGE.enum, descriptor.parent.nestedEnums.indexOf(descriptor)];
    case "enum_value":
      return [...pathOf(descriptor.parent), IN_ENUM.value, descriptor.parent.values.indexOf(descriptor)];
    case "rpc": {
      const service = descriptor.parent;
      const place = service.file.services.indexOf(service);
      return [IN_FILE.service, place, IN_SERVICE.method, service.methods.indexOf(descriptor)];
    }
  }
}
