# SPDX-License-Identifier: GPL-2.0
# What pmtu.sh expects of the stock kernel and this module does otherwise on purpose:
# scripts/check-pmtu puts the module's value in place for the pass with the module.
# It fails if one of these finds nothing to replace.

# The link's MTU grows, from below what a router had reported to above it. The stock
# kernel forgets the report and tries the link's whole MTU; a host route outlives what
# its link goes through, as the path behind the router has not changed.
/"increasing local MTU"/s/"1700"/"1400"/
/"increasing local MTU"/s/"1500"/"400"/

# A router reports 400. The stock kernel takes 552 (min_pmtu) and lets packets of that
# size be fragmented; min_mtu is 68 here, as RFC 791 has it.
/with MTU < min_pmtu/s/"lock 552"/"400"/

# What follows from it: the host route stays below the link's 500.
/"500".*"decreasing local MTU"/s/"500"/"400"/
