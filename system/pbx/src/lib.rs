//! Floor 2: directory, location service, registrar, dialplan.
