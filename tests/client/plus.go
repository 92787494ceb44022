// plus API UPSTREAM STREAM_UPSTREAM: talks to our module with the official client of the NGINX Plus API, in every version
// of the API that both speak. STREAM_UPSTREAM "-": there is no stream block. Prints what is wrong and exits with 1.
// UPSTREAM and STREAM_UPSTREAM have the same servers, all up, with nginx's defaults.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	plus "github.com/nginxinc/nginx-plus-go-client/client"
)

const oldest, newest = 4, 8 // the versions that the client speaks

var where string // what is being done

func check(good bool, format string, args ...interface{}) {
	if !good {
		fmt.Printf("%s: %s\n", where, fmt.Sprintf(format, args...))
		os.Exit(1)
	}
}

func must(err error) {
	check(err == nil, "%v", err)
}

func refused(err error, code string) {
	check(err != nil && strings.Contains(err.Error(), "error.code="+code), "%s was expected, and not %v", code, err)
}

func number(n int) *int    { return &n }
func boolean(b bool) *bool { return &b }

// Of the first server; its statistics and its configuration must agree with what was asked for.
type expected struct {
	state       string
	down, drain bool
	weight      int
	maxConns    int
	maxFails    int
	failTimeout string
}

func checkHTTP(c *plus.NginxClient, upstream string, want expected) {
	stats, err := c.GetStats()
	must(err)
	servers, err := c.GetHTTPServers(upstream)
	must(err)
	peers := stats.Upstreams[upstream].Peers
	check(len(servers) == len(peers) && len(peers) > 1, "%d servers and %d peers", len(servers), len(peers))
	s, p := servers[0], peers[0]
	got := expected{p.State, *s.Down, s.Drain, *s.Weight, *s.MaxConns, *s.MaxFails, s.FailTimeout}
	check(got == want, "%+v was expected, and not %+v", want, got)
	check(p.Weight == want.weight && p.MaxConns == want.maxConns, "the peer has weight %d and max_conns %d", p.Weight, p.MaxConns)
	check(p.Server == s.Server && p.ID == s.ID, "peer %d %s is server %d %s", p.ID, p.Server, s.ID, s.Server)
	check(peers[1].State == "up", "the other peer is %s", peers[1].State)
}

func checkStream(c *plus.NginxClient, upstream string, want expected) {
	stats, err := c.GetStats()
	must(err)
	servers, err := c.GetStreamServers(upstream)
	must(err)
	peers := stats.StreamUpstreams[upstream].Peers
	check(len(servers) == len(peers) && len(peers) > 1, "%d servers and %d peers", len(servers), len(peers))
	s, p := servers[0], peers[0]
	got := expected{p.State, *s.Down, false, *s.Weight, *s.MaxConns, *s.MaxFails, s.FailTimeout}
	check(got == want, "%+v was expected, and not %+v", want, got)
	check(peers[1].State == "up", "the other peer is %s", peers[1].State)
}

var untouched = expected{"up", false, false, 1, 0, 1, "10s"}

func httpSteps(c *plus.NginxClient, upstream string) {
	servers, err := c.GetHTTPServers(upstream)
	must(err)
	original := servers[0]
	step := func(what string, change func(s *plus.UpstreamServer), want expected) {
		where = fmt.Sprintf("version %d, http, %s", c.Version(), what)
		s := original
		change(&s)
		must(c.UpdateHTTPServer(upstream, s))
		checkHTTP(c, upstream, want)
	}
	step("nothing", func(s *plus.UpstreamServer) {}, untouched)
	step("down", func(s *plus.UpstreamServer) { s.Down = boolean(true) }, expected{"down", true, false, 1, 0, 1, "10s"})
	step("up", func(s *plus.UpstreamServer) { s.Down = boolean(false) }, untouched)
	step("drain", func(s *plus.UpstreamServer) { s.Drain = true }, expected{"draining", false, true, 1, 0, 1, "10s"})
	step("drained and down", func(s *plus.UpstreamServer) { s.Down = boolean(true) }, expected{"down", true, false, 1, 0, 1, "10s"})
	step("up again", func(s *plus.UpstreamServer) {}, untouched)
	step("parameters", func(s *plus.UpstreamServer) {
		s.Weight, s.MaxConns, s.MaxFails, s.FailTimeout = number(5), number(7), number(3), "20s"
	}, expected{"up", false, false, 5, 7, 3, "20s"})

	where = fmt.Sprintf("version %d, http, all servers at once", c.Version())
	added, deleted, updated, err := c.UpdateHTTPServers(upstream, servers)
	must(err)
	check(len(added) == 0 && len(deleted) == 0 && len(updated) == 1, "%d added, %d deleted, %d updated", len(added), len(deleted), len(updated))
	checkHTTP(c, upstream, untouched)
	_, _, updated, err = c.UpdateHTTPServers(upstream, servers)
	must(err)
	check(len(updated) == 0, "%d updated though nothing has changed", len(updated))

	where = fmt.Sprintf("version %d, http, what is refused", c.Version())
	refused(c.CheckIfUpstreamExists("none"), "UpstreamNotFound")
	refused(c.AddHTTPServer(upstream, plus.UpstreamServer{Server: "127.0.0.1:1"}), "MethodDisabled")
	refused(c.DeleteHTTPServer(upstream, original.Server), "MethodDisabled")
	_, err = c.GetKeyValPairs("none")
	refused(err, "KeyvalNotFound")
	all, err := c.GetAllKeyValPairs()
	must(err)
	check(len(all) == 0, "there are %d keyval zones", len(all))
	checkHTTP(c, upstream, untouched)
}

func streamSteps(c *plus.NginxClient, upstream string) {
	servers, err := c.GetStreamServers(upstream)
	must(err)
	original := servers[0]
	step := func(what string, change func(s *plus.StreamUpstreamServer), want expected) {
		where = fmt.Sprintf("version %d, stream, %s", c.Version(), what)
		s := original
		change(&s)
		must(c.UpdateStreamServer(upstream, s))
		checkStream(c, upstream, want)
	}
	step("down", func(s *plus.StreamUpstreamServer) { s.Down = boolean(true) }, expected{"down", true, false, 1, 0, 1, "10s"})
	step("parameters", func(s *plus.StreamUpstreamServer) {
		s.Weight, s.MaxConns, s.MaxFails, s.FailTimeout = number(5), number(7), number(3), "20s"
	}, expected{"up", false, false, 5, 7, 3, "20s"})

	where = fmt.Sprintf("version %d, stream, all servers at once", c.Version())
	_, _, updated, err := c.UpdateStreamServers(upstream, servers)
	must(err)
	check(len(updated) == 1, "%d updated", len(updated))
	checkStream(c, upstream, untouched)
	_, _, updated, err = c.UpdateStreamServers(upstream, servers)
	must(err)
	check(len(updated) == 0, "%d updated though nothing has changed", len(updated))

	where = fmt.Sprintf("version %d, stream, what is refused", c.Version())
	refused(c.CheckIfStreamUpstreamExists("none"), "UpstreamNotFound")
	refused(c.AddStreamServer(upstream, plus.StreamUpstreamServer{Server: "127.0.0.1:1"}), "MethodDisabled")
	refused(c.DeleteStreamServer(upstream, original.Server), "MethodDisabled")
	_, err = c.GetStreamKeyValPairs("none")
	refused(err, "KeyvalNotFound")
}

func checkNginx(c *plus.NginxClient, hasStream bool) {
	where = fmt.Sprintf("version %d, statistics", c.Version())
	info, err := c.GetNginxInfo()
	must(err)
	check(info.Version != "" && info.Address == "127.0.0.1" && info.Generation == 1, "%+v", *info)
	check(info.ProcessID > 0 && info.ParentProcessID > 0, "%+v", *info)
	loaded, err := time.Parse(time.RFC3339, info.LoadTimestamp)
	must(err)
	check(time.Since(loaded) >= 0 && time.Since(loaded) < time.Hour, "loaded at %s", info.LoadTimestamp)

	stats, err := c.GetStats()
	must(err)
	check(stats.NginxInfo.ParentProcessID == info.ParentProcessID, "%+v", stats.NginxInfo)
	check(stats.Connections.Accepted > 0 && stats.Connections.Active > 0 && stats.Connections.Dropped == 0, "%+v", stats.Connections)
	check(stats.HTTPRequests.Total > 0 && stats.HTTPRequests.Current > 0, "%+v", stats.HTTPRequests)
	for name, slab := range stats.Slabs {
		check(slab.Pages.Used > 0 && len(slab.Slots) > 0, "slab %s is %+v", name, slab)
	}
	check(len(stats.Slabs) >= 2, "%d slabs", len(stats.Slabs))
	check(len(stats.ServerZones)+len(stats.LocationZones)+len(stats.Caches)+len(stats.Resolvers)+len(stats.HTTPLimitRequests)+
		len(stats.HTTPLimitConnections)+len(stats.StreamServerZones)+len(stats.StreamLimitConnections) == 0, "%+v", *stats)
	check(stats.SSL == plus.SSL{} && stats.Processes == plus.Processes{}, "%+v %+v", stats.SSL, stats.Processes)
	if hasStream {
		check(stats.StreamZoneSync != nil && len(stats.StreamZoneSync.Zones) == 0, "%+v", stats.StreamZoneSync)
		return
	}
	check(stats.StreamZoneSync == nil && len(stats.StreamUpstreams) == 0, "there is a stream block")
	_, err = c.GetStreamServers("none")
	refused(err, "PathNotFound")
}

func main() {
	if len(os.Args) != 4 {
		fmt.Println("usage: plus API UPSTREAM STREAM_UPSTREAM|-")
		os.Exit(64)
	}
	api, upstream, stream := os.Args[1], os.Args[2], os.Args[3]
	web := &http.Client{Timeout: 10 * time.Second}
	where = "start"
	first, err := plus.NewNginxClient(web, api)
	must(err)
	check(first.Version() == newest, "it speaks version %d", first.Version())
	for version := oldest; version <= newest; version++ {
		where = fmt.Sprintf("version %d", version)
		c, err := plus.NewNginxClientWithVersion(web, api, version)
		must(err)
		checkNginx(c, stream != "-")
		httpSteps(c, upstream)
		if stream != "-" {
			streamSteps(c, stream)
		}
	}
	fmt.Printf("versions %d to %d\n", oldest, newest)
}
