# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The catalogue of faults (F1 to F52), and where each is tested.
"""

from __future__ import annotations

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

FAULTS: dict[int, tuple[str, ...]] = {
    1: ("test_factory.BackOffTests.test_F1_delays", "test_trouble.LogTests.test_quiet"),
    2: ("test_factory.BackOffTests.test_F2_connectTimeout",),
    3: (
        "test_factory.BackOffTests.test_F3_backOffIsNotResetByAConnection",
        "test_watchdog.SilenceTests.test_F3_F7_noProgress",
    ),
    4: (
        "test_factory.BackOffTests.test_F4_immediateAfterHealthySession",
        "live.test_outages.TCPEndpointTests.test_kill",
        "test_properties.ScheduleTests.test_events",
    ),
    5: ("test_watchdog.SilenceTests.test_F5_halfOpen",),
    6: ("test_stop.StopTests.test_F6_stalledPeer",),
    7: ("test_watchdog.SilenceTests.test_F3_F7_noProgress",),
    8: ("test_watchdog.SilenceTests.test_F8_trickle",),
    9: ("test_slices.SliceTests.test_snapshot", "test_jsonstream.LimitTests.test_atTheLimit"),
    10: ("test_hostile.HostileTests.test_F10_flood",),
    11: ("test_hostile.HostileTests.test_F11_F12_F20_F24_F25_everyWrongAnswer",),
    12: ("test_hostile.HostileTests.test_F11_F12_F20_F24_F25_everyWrongAnswer",),
    13: ("test_protocol.CallTests.test_F13_F14_repliesToNothing",),
    14: ("test_protocol.CallTests.test_F13_F14_repliesToNothing",),
    15: ("test_session.RefusalTests.test_F15_unknownDatabase",),
    16: (
        "test_session.RefusalTests.test_F16_lackingColumns",
        "test_session.RefusalTests.test_F16_lackingExtraColumn",
        "test_session.RefusalTests.test_F16_neededColumns",
    ),
    17: ("test_session.RefusalTests.test_F17_joiningCluster",),
    18: ("test_session.RefusalTests.test_F18_duplicateMonitor",),
    19: ("test_session.RefusalTests.test_F18_F19_otherErrors",),
    20: ("test_hostile.HostileTests.test_F11_F12_F20_F24_F25_everyWrongAnswer",),
    21: ("test_protocol.MonitorTests.test_F21_updateBeforeTheReply",),
    22: ("test_protocol.MonitorTests.test_F22_updateOfNoMonitor",),
    23: ("test_rows.DecodeTests.test_missing", "test_rows.DecodeTests.test_wrong"),
    24: ("test_hostile.HostileTests.test_F11_F12_F20_F24_F25_everyWrongAnswer",),
    25: ("test_hostile.HostileTests.test_F11_F12_F20_F24_F25_everyWrongAnswer",),
    26: ("test_replica.ReplicaTests.test_emptyOld", "test_replica.ReplicaTests.test_emptyNew"),
    27: ("live.test_events.EventTests.test_replacedInOneTransaction",),
    28: ("test_tracker.TrackerTests.test_transientVanishes",),
    29: ("test_protocol.MonitorTests.test_F29_canceled",),
    30: ("test_protocol.ServerRequestTests.test_F30_unknown",),
    31: ("test_protocol.ServerRequestTests.test_F31_echo",),
    32: (
        "test_monitor.SessionTests.test_F32_newDatabase",
        "live.test_servers.ServerTests.test_databaseEmptied",
        "live.test_servers.ServerTests.test_databaseRebuilt",
    ),
    33: ("soak.test_chaos.ChaosTests.test_chaos",),
    34: ("test_factory.BackOffTests.test_F34_flapping",),
    35: (
        "live.test_tls.PeerTests.test_wrongAuthority",
        "live.test_tls.PeerTests.test_expired",
        "live.test_tls.HostnameTests.test_otherName",
    ),
    36: (
        "live.test_tls.PeerTests.test_clientRefused",
        "live.test_tls.PeerTests.test_clientExpired",
    ),
    37: ("live.test_tls.HostnameTests.test_none", "test_tls.ClientTests.test_verifyHostname"),
    38: (
        "live.test_tls.PeerTests.test_plaintextToTLS",
        "live.test_tls.PeerTests.test_TLSToPlaintext",
    ),
    39: (
        "test_cluster.LeaderTests.test_notLeader",
        "test_cluster.LeaderTests.test_leadershipLost",
    ),
    40: ("test_factory.BackOffTests.test_F40_anyFailure",),
    42: ("test_watchdog.SilenceTests.test_F42_clockStep",),
    43: ("test_watchdog.SilenceTests.test_F43_readBeforeJudging",),
    44: ("test_delivery.DeliveryTests.test_F44_failures",),
    45: ("test_monitor.ObserverTests.test_F45_busyHoldsUpNobody",),
    46: ("test_monitor.ObserverTests.test_F46_meddling",),
    47: ("test_monitor.ObserverTests.test_F47_late",),
    48: (
        "test_stop.StopTests.test_F48_connecting",
        "test_stop.StopTests.test_F48_backingOff",
        "test_stop.StopTests.test_F48_waitingForTheSnapshot",
        "test_stop.StopTests.test_F48_inSync",
        "test_stop.StopTests.test_F48_delivering",
        "test_slices.SliceTests.test_detachWhileReading",
    ),
    49: (
        "test_protocol.MonitorTests.test_F49_bugInUpdate",
        "test_session.RefusalTests.test_F49_bugWhileReading",
    ),
    50: ("test_connector.EndpointConnectorTests.test_F50_resolvesEachTime",),
    51: ("live.test_events.EventTests.test_vswitchdKilled",),
    52: (
        "live.test_events.EventTests.test_badType",
        "live.test_events.EventTests.test_typeChanged",
    ),
}

LEFT_OUT = {41}
"""Servers so old that they forget their monitors."""


class FaultTests(SynchronousTestCase):
    """
    The catalogue itself.
    """

    def test_complete(self) -> None:
        """
        Every fault has its tests, and every test of the table exists.
        """
        self.assertEqual(FAULTS.keys() | LEFT_OUT, set(range(1, 53)))
        for names in FAULTS.values():
            self.assertTrue(names)
            for name in names:
                self.assertTrue(callable(namedAny(f"tests.{name}")), name)
