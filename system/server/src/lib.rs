//! Floor 3: the PBX Node.
