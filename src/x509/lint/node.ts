import { Fault } from '../../base/fault.ts';

/** One element of BER, taken apart without judging its form: what is wrong with it is for the rules to say. */
export interface Node {
  tag: number;
  content: Buffer;
  /** Header and content. */
  der: Buffer;
}

/**
 * Reads the element at the start of `bytes`: one-byte tags, definite lengths, shortest or not.
 *
 * @throws Fault `x509.lint.unreadable`
 */
export function readNode(bytes: Buffer): Node {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw unreadable();
  const count = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || count > 4 || bytes.length < 2 + count) throw unreadable();
  const length = count === 0 ? first : bytes.readUIntBE(2, count);
  const end = 2 + count + length;
  if (end > bytes.length) throw unreadable();
  return { tag, content: bytes.subarray(2 + count, end), der: bytes.subarray(0, end) };
}

/** The elements inside a constructed one. @throws Fault `x509.lint.unreadable` */
export function childrenOf({ content }: Pick<Node, 'content'>): Node[] {
  const children: Node[] = [];
  for (let rest = content; rest.length > 0; ) {
    const child = readNode(rest);
    children.push(child);
    rest = rest.subarray(child.der.length);
  }
  return children;
}

export function unreadable(): Fault {
  return new Fault('this cannot be taken apart as a certificate or a CRL', {
    code: 'x509.lint.unreadable',
    blame: 'caller',
  });
}
