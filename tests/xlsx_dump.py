#!/usr/bin/env python3
"""xlsx_dump.py FILE   what a workbook's first sheet holds, a line each: for tests, by the format itself and none of our code."""
import json
import re
import sys
import xml.etree.ElementTree as tree
import zipfile

MAIN = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
BUILTIN = {0: 'General', 1: '0', 2: '0.00', 14: 'm/d/yyyy', 22: 'm/d/yyyy h:mm', 49: '@'}


def part(book, name):
    return tree.fromstring(book.read(name))


def formats(book):
    styles = part(book, 'xl/styles.xml')
    own = {int(f.get('numFmtId')): f.get('formatCode') for f in styles.iter(MAIN + 'numFmt')}
    return [own.get(int(x.get('numFmtId')), BUILTIN.get(int(x.get('numFmtId')), '?'))
            for x in styles.find(MAIN + 'cellXfs')]


def texts(book):
    if 'xl/sharedStrings.xml' not in book.namelist():
        return []
    return [''.join(t.text or '' for t in si.iter(MAIN + 't')) for si in part(book, 'xl/sharedStrings.xml')]


def unescaped(text):
    return re.sub(r'_x([0-9A-Fa-f]{4})_', lambda m: chr(int(m.group(1), 16)), text)


def say(*words):
    print('\t'.join(json.dumps(w, ensure_ascii=False) if isinstance(w, (dict, list)) else str(w) for w in words))


def main():
    book = zipfile.ZipFile(sys.argv[1])
    assert book.testzip() is None
    workbook, sheet = part(book, 'xl/workbook.xml'), part(book, 'xl/worksheets/sheet1.xml')
    shared, number = texts(book), formats(book)
    for s in workbook.iter(MAIN + 'sheet'):
        say('sheet', s.get('name'))
    for d in workbook.iter(MAIN + 'definedName'):
        say('name', d.get('name'), d.text)
    for tag in ('pane', 'pageSetup', 'pageSetUpPr', 'autoFilter', 'col'):
        for e in sheet.iter(MAIN + tag):
            say(tag, ' '.join(f'{k}={v}' for k, v in sorted(e.attrib.items())))
    for tag in ('oddHeader', 'oddFooter'):
        for e in sheet.iter(MAIN + tag):
            say(tag, e.text)
    for e in sheet.iter(MAIN + 'dataValidation'):
        say('choice', e.get('sqref'), e.find(MAIN + 'formula1').text)
    for c in sheet.iter(MAIN + 'c'):
        kind, style = c.get('t', 'n'), number[int(c.get('s', 0))]
        if c.find(MAIN + 'f') is not None:
            say('FORMULA', c.get('r'), c.find(MAIN + 'f').text)
        value = c.find(MAIN + 'v')
        if kind == 'inlineStr':
            text = ''.join(t.text or '' for t in c.iter(MAIN + 't'))
            say('cell', c.get('r'), 'text', style, [unescaped(text)])
        elif value is None:
            say('cell', c.get('r'), 'empty', style)
        elif kind == 's':
            say('cell', c.get('r'), 'text', style, [unescaped(shared[int(value.text)])])
        else:
            say('cell', c.get('r'), kind, style, value.text)


main()
