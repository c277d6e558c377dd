"""Channels between the processes of a compiled graph: not there yet."""

from manta import _not_yet

__all__ = _not_yet.declare(
    globals(),
    classes=["Channel", "BufferedSharedMemoryChannel", "CompositeChannel", "IntraProcessChannel", "CachedChannel", "AcceleratorContext",
             "AwaitableBackgroundReader", "AwaitableBackgroundWriter", "SynchronousReader", "SynchronousWriter", "ReaderInterface",
             "WriterInterface", "ChannelContext", "ChannelInterface", "ChannelOutputType", "SharedMemoryType"])
