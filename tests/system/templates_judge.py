#!/usr/bin/env python3
"""templates_judge.py - what the templates should make of a recording of a device.

  templates_judge.py list DIRECTORY            name, protocol, parameters without a default
  templates_judge.py judge DIRECTORY RECORDING VALUES DEVICE TEMPLATE[,PARAMETER=VALUE]...
  templates_judge.py known VALUES < LINES      path, tab, number or reason: what differs

Reads the templates' files and the recording's text by itself, works out what each point has to
be, and compares it with VALUES (`pollwerk --json values`). Says what differs, and at the end how
many points are good and how many are not. Knows nothing of the daemon's code."""
import glob
import json
import math
import re
import struct
import sys

# ---- the configuration language, as far as the templates use it ----

TOKEN = re.compile(r'\s+|[#][^\n]*|("(?:\\.|[^"\\])*")|([A-Za-z][\w-]*)|'
                   r'(-?0[xX][0-9A-Fa-f]+|[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)|([=:;,(){}\[\]])')


def tokens(text):
    at, found = 0, []
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            sys.exit('cannot read: ' + text[at:at + 40])
        at = match.end()
        if match.lastindex:
            found.append((match.lastindex, match.group(match.lastindex)))
    return found


def parse(words, at, end):
    """Settings up to the word `end`; returns them and where they ended."""
    group = {}
    while at < len(words) and words[at][1] != end:
        if words[at][1] in ';,':
            at += 1
            continue
        name = words[at][1]
        group[name], at = parse_value(words, at + 2)
    return group, at + 1


def parse_value(words, at):
    kind, word = words[at]
    if word == '{':
        return parse(words, at + 1, '}')
    if word in '([':
        entries, at = [], at + 1
        while words[at][1] not in ')]':
            if words[at][1] == ',':
                at += 1
            else:
                entry, at = parse_value(words, at)
                entries.append(entry)
        return entries, at + 1
    if kind == 1:
        return re.sub(r'\\(.)', r'\1', word[1:-1]), at + 1
    if kind == 3:
        return (int(word, 16) if 'x' in word.lower() else
                float(word) if re.search('[.eE]', word) else int(word)), at + 1
    return word == 'true', at + 1


def read_templates(directory):
    templates = {}
    for path in sorted(glob.glob(directory + '/*.conf')):
        with open(path, encoding='utf-8') as file:
            group, _ = parse(tokens(file.read()), 0, None)
        for template in group['templates']:
            templates[template['name']] = template
    return templates


def members(templates, template, key):
    """Those inherited first; one of the same name takes the place of the inherited one."""
    inherited = members(templates, templates[template['inherit']], key) \
        if 'inherit' in template else {}
    for entry in template.get(key, []):
        inherited[entry['name']] = entry
    return inherited


def protocol(templates, template):
    while 'protocol' not in template:
        template = templates[template['inherit']]
    return template['protocol']


# ---- the recording ----

def read_recording(path):
    """OID to (tag, value); value is bytes, a number or None."""
    objects = {}
    with open(path, 'rb') as file:
        for line in file.read().split(b'\n'):
            if line.count(b'|') < 2:
                continue
            oid, tag, value = line.split(b'|', 2)
            tag = tag.decode()
            if tag.endswith('x'):
                tag, value = tag[:-1], bytes.fromhex(value.decode())
            number = int(tag)
            if number in (2, 65, 66, 67, 70):
                value = int(value)
            elif number == 68 and value[:3] == b'\x9f\x78\x04':
                value = struct.unpack('>f', value[3:])[0]
            elif number == 5:
                value = None
            objects[oid.decode()] = (number, value)
    return objects


NUMBER = re.compile(rb'[ \t]*([-+]?)(\d+)(?:[.,](\d+))?')


def number_of(tag, value):
    if tag in (2, 65, 66, 67, 70) or isinstance(value, float):
        return value
    match = NUMBER.match(value) if tag == 4 else None
    if match is None or re.match(rb"([.,:]|[ \t'\x80-\xff]*)\d", value[match.end():]):
        return None
    return float((match.group(1) + match.group(2) + b'.' + (match.group(3) or b'0')).decode())


def bits_of(point, tag, value):
    """A BITS: bit 0 is the highest of the first octet."""
    if tag != 4:
        return None
    found = [i for i in range(len(value) * 8) if value[i // 8] << i % 8 & 128]
    if 'bit' in point:
        return int(point['bit'] in found)
    return found[0] if found else -1


def text_of(tag, value):
    if tag == 64:
        return value.decode() if b'.' in value else '.'.join(str(byte) for byte in value)
    if not isinstance(value, bytes):
        return str(value)
    value = value.rstrip(b'\0 ').lstrip(b' \t')
    if any((byte < 32 and not 9 <= byte <= 13) or byte == 127 for byte in value):
        return ':'.join('%02x' % byte for byte in value)
    value = bytes(32 if byte < 32 else byte for byte in value).rstrip(b' ')
    return value.decode('utf-8', 'replace').replace('\ufffd', '?')


# ---- what a point has to be ----

def listed(value):
    return value if isinstance(value, list) else [value]


def is_invalid(point, number):
    for text in point.get('invalid', []):
        low, _, high = text.partition('..')
        if float(low) <= number <= float(high or low):
            return True
    return False


def expected(point, objects, suffix, parameters):
    """(reason, value) of a point; a counter of a recording that stands still has the rate 0."""
    scales = point.get('scale', 1)
    kind = point.get('kind', 'state' if 'states' in point else 'gauge')
    for i, oid in enumerate(listed(point['oid'])):
        tag, value = objects.get(fill(oid, parameters) + suffix, (5, None))
        if value is None:
            continue
        if kind == 'text':
            return 'good', text_of(tag, value)
        number = bits_of(point, tag, value) if 'bits' in point or 'bit' in point else \
            number_of(tag, value)
        if number is None or is_invalid(point, number):
            return 'invalid-value', None
        if kind == 'counter':
            return 'good', 0
        scale = scales[i] if isinstance(scales, list) else scales
        return 'good', number * scale + point.get('offset', 0)
    return 'no-such-object', None


def fill(oid, parameters):
    return re.sub(r'\$([^.$]+)', lambda match: str(parameters[match.group(1)]), oid)


def rows_of(table, objects, parameters):
    """Key to index. Every column makes rows; the first key column with a text names them."""
    keys = [fill(oid, parameters) for oid in listed(table.get('key', []))]
    columns = keys + [fill(oid, parameters) for point in table['points']
                      for oid in listed(point['oid'])]
    columns += [fill(info['oid'], parameters) for info in table.get('info', [])]
    found = set()
    for oid, (_, value) in objects.items():
        for column in columns:
            # a row of which nothing is told is none
            if value is not None and oid.startswith(column + '.'):
                found.add(tuple(int(arc) for arc in oid[len(column) + 1:].split('.')))
    rows = {}
    for index in sorted(found):
        suffix = '.' + '.'.join(str(arc) for arc in index)
        name = ''
        for key in keys:
            tag, value = objects.get(key + suffix, (5, None))
            name = name or ('' if value is None else text_of(tag, value))
        name = name[:80].rstrip() or suffix[1:]  # a key's room
        rows[name + '#' + suffix[1:] if name in rows else name] = suffix
    return rows


def wanted_points(templates, name, objects, given):
    template = templates[name]
    parameters = {key: entry.get('default') for key, entry in
                  members(templates, template, 'parameters').items()}
    parameters.update(given)
    wanted = {}
    for point in members(templates, template, 'points').values():
        wanted[point['name']] = expected(point, objects, '', parameters)
    for table in members(templates, template, 'tables').values():
        if table.get('connections'):
            continue  # asked only for the remote ends that a device names
        for key, suffix in rows_of(table, objects, parameters).items():
            for point in table['points']:
                wanted['%s[%s]/%s' % (table['name'], key, point['name'])] = \
                    expected(point, objects, suffix, parameters)
    return wanted


def same(wanted, value):
    if isinstance(wanted, str) or isinstance(value, (str, type(None))):
        return wanted == value
    return math.isclose(wanted, value, rel_tol=1e-6, abs_tol=1e-9)


def judge(directory, recording, values, device, uses):
    templates, objects = read_templates(directory), read_recording(recording)
    with open(values, encoding='utf-8') as file:
        seen = {entry['path']: entry for entry in json.load(file)}
    wrong = 0
    for use in uses:
        name, *given = use.split(',')
        wanted = wanted_points(templates, name, objects,
                               dict(pair.split('=') for pair in given))
        good, without = 0, 0
        for path, (reason, value) in sorted(wanted.items()):
            entry = seen.get(device + '/' + path)
            if entry is None or entry['reason'] != reason or not same(value, entry['value']):
                print('WRONG %s/%s: %r instead of %s %r' % (device, path, entry and (
                    entry['reason'], entry['value']), reason, value))
                wrong += 1
            elif reason == 'good':
                good += 1
            else:
                without += 1
        print('%s: %d points good, %d without, each with a reason' % (name, good, without))
    return wrong == 0


def known(values):
    """What a person has read off the recordings, whatever the templates say."""
    with open(values, encoding='utf-8') as file:
        seen = {entry['path']: entry for entry in json.load(file)}
    for line in sys.stdin:
        path, wanted = line.rstrip('\n').split('\t')
        entry = seen.get(path, {'value': None, 'reason': 'not there'})
        is_number = re.fullmatch(r'-?[0-9.]+', wanted)
        if not (same(float(wanted), entry['value']) if is_number else entry['reason'] == wanted):
            print('%s: %r (%s) instead of %s' % (path, entry['value'], entry['reason'], wanted))


def main():
    if sys.argv[1] == 'list':
        templates = read_templates(sys.argv[2])
        for name, template in sorted(templates.items()):
            missing = [entry['name'] for entry in
                       members(templates, template, 'parameters').values()
                       if 'default' not in entry]
            print(name, protocol(templates, template),
                  'yes' if template.get('source') else 'no', *missing)
        return 0
    if sys.argv[1] == 'known':
        known(sys.argv[2])
        return 0
    return 0 if judge(*sys.argv[2:6], sys.argv[6:]) else 1


sys.exit(main())
