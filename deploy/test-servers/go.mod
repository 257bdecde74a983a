module passerelle.invalid/test-servers

go 1.27

tool github.com/influxdata/influxdb/v2/cmd/influxd

require github.com/influxdata/influxdb/v2 v2.10.0

// The version that InfluxDB 2.10.0 asks for is not on the module proxy; this one has the same API.
replace github.com/influxdata/flux => github.com/influxdata/flux v0.200.0

replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
