"""Exports: how files look."""

from __future__ import annotations

EXAMPLES = {
    "csv": '# passerelle-export {"format":"passerelle-export","version":1}\r\n'
    "time,site,device,quantity,unit,value,quality\r\n"
    "2026-11-23T08:00:00+01:00,elgazala,elg-env-001,air_temperature,Cel,21.5,\r\n"
    '# end {"complete":true,"rows":1}\r\n',
    "jsonl": '{"record":"metadata","format":"passerelle-export","version":1}\n'
    '{"record":"row","time":"2026-11-23T08:00:00+01:00","site":"elgazala",'
    '"device":"elg-env-001","quantity":"air_temperature","unit":"Cel","value":21.5,"quality":[]}\n'
    '{"record":"end","complete":true,"rows":1}\n',
    "parquet": "PAR1",
    "arrow": "(an Arrow IPC stream)",
    "xlsx": "PK",
}
"""How a file of each format begins, or looks."""
