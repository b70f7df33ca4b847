SELECT id, name, memory_gb FROM hardware_configs WHERE active ORDER BY id;
