# SPDX-License-Identifier: GPL-2.0
# What pmtu.sh expects of the stock kernel and this module does otherwise on purpose:
# the guest pmtu has the module's value in place for the pass with the module.
# It is an error if one of these finds nothing to replace.

# The link's MTU grows, from below what a router had reported to above it. The stock
# kernel forgets the report and tries the link's whole MTU; a host route outlives what
# its link goes through, as the path behind the router has not changed.
/"increasing local MTU"/s/"1700"/"1400"/
/"increasing local MTU"/s/"1500"/"552"/

# A router reports 400 to a ping. Neither goes below 552 for what nobody can prove
# (min_pmtu, min_mtu_unproven); but the stock kernel then stops to set DF on anything
# that goes there, and the module does not.
/with MTU < min_pmtu/s/"lock 552"/"552"/
