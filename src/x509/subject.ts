import { Fault } from '../base/fault.ts';
import { type Certificate, serialText } from './certificate.ts';
import { formatGeneralName, type GeneralName } from './general-name.ts';
import { formatName } from './name.ts';

/** What to call a certificate in a message: its subject, else its first other name, else its serial number. */
export function nameInWords(certificate: Certificate): string {
  const subject = formatName(certificate.subject);
  if (subject) return `certificate ${subject}`;
  const name = firstAltName(certificate);
  return name ? `certificate ${formatGeneralName(name)}` : `certificate ${serialText(certificate.serial)}`;
}

/** None where the extension is malformed: a message about that very certificate must still come about. */
function firstAltName(certificate: Certificate): GeneralName | undefined {
  try {
    return certificate.subjectAltNames[0];
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
